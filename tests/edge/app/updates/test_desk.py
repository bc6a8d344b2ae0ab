import pytest
from rigs.broker.payloads import check

from ast_edge.app.updates.desk import UpdateDesk
from ast_edge.fleet.update_status import UpdateStatus
from ast_edge.mqtt.topics import Topics

TOPICS = Topics("ast-edge", "attic")


class Notes:
    """Notes what a desk hands over."""

    status = UpdateStatus("none", "", "home aaaaaaaa", "home aaaaaaaa", seen={"all": 3})

    def __init__(self):
        self.orders = []

    def told(self, scope, payload):
        self.orders.append((scope, payload))

    def command(self, payload):
        self.orders.append(payload)


@pytest.fixture
def updater():
    return Notes()


@pytest.mark.parametrize("retained", [True, False])
@pytest.mark.parametrize(
    ("topic", "scope"), [("ast-edge/attic/desired", "node"), ("ast-edge/desired", "all")]
)
def test_a_pointer_is_handed_over_with_who_is_meant(updater, topic, scope, retained):
    UpdateDesk(TOPICS, updater, commands=True).received(topic, b"x", retained=retained)
    assert updater.orders == [(scope, b"x")]


def test_a_command_is_handed_over(updater):
    UpdateDesk(TOPICS, updater, commands=True).received("ast-edge/attic/command", b"install")
    assert updater.orders == [b"install"]


def test_a_command_that_is_retained_is_not_followed(updater, caplog):
    desk = UpdateDesk(TOPICS, updater, commands=True)
    desk.received("ast-edge/attic/command", b"rollback", retained=True)
    assert updater.orders == []
    assert "again and again" in caplog.text


def test_without_commands_none_is_listened_for(updater):
    desk = UpdateDesk(TOPICS, updater, commands=False)
    assert "ast-edge/attic/desired" in desk.subscriptions
    assert "ast-edge/attic/command" not in desk.subscriptions


def test_the_status_is_told_at_every_connection_and_follows_its_schema(updater):
    message, _ = UpdateDesk(TOPICS, updater, commands=True).greet()
    assert (message.topic, message.retain) == ("ast-edge/attic/update", True)
    check("update", message.payload)


def come_back(desk, *pointers):
    """Connect anew: what is retained arrives, then what the node says to itself."""
    *_, mark = desk.greet()
    for topic in pointers:
        desk.received(topic, b"x", retained=True)
    desk.received(mark.topic, mark.payload.encode())
    return mark


def test_a_pointer_that_is_not_there_any_more_has_been_withdrawn(updater):
    come_back(UpdateDesk(TOPICS, updater, commands=True), "ast-edge/desired")
    assert updater.orders == [("all", b"x"), ("node", b"")]


def test_what_the_node_said_to_itself_on_another_connection_tells_nothing(updater):
    desk = UpdateDesk(TOPICS, updater, commands=True)
    mark = come_back(desk, "ast-edge/attic/desired", "ast-edge/desired")
    updater.orders.clear()
    desk.greet()
    desk.received(mark.topic, mark.payload.encode())
    assert updater.orders == []


def test_where_the_broker_keeps_nothing_no_pointer_is_taken_for_withdrawn(updater):
    come_back(UpdateDesk(TOPICS, updater, commands=True, keeps=lambda: False))
    assert updater.orders == []
