import json
import random

import pytest
from rigs.broker import mosquitto
from rigs.broker.mosquitto import Mosquitto, Subscriber, retained
from rigs.broker.payloads import check
from rigs.broker.sink import started

from ast_edge.audio.level import Level
from ast_edge.home_assistant.announcer import JITTER, MIGRATE, STEP, HomeAssistant
from ast_edge.home_assistant.discovery import describe
from ast_edge.model.label import Label
from ast_edge.mqtt.config import MqttConfig
from ast_edge.mqtt.home_assistant_config import HomeAssistantConfig
from ast_edge.mqtt.source_status import NodeStatus
from ast_edge.mqtt.topics import Topics

DOG = Label(0, "Dog", "/m/0bt9lr")
SIREN = Label(1, "Siren", "/m/03kmc9")
KITCHEN = "homeassistant/device/ast-edge-attic-kitchen/config"
HOST = "homeassistant/device/ast-edge-attic/config"


class Broker:
    """Keeps what is retained, and all messages in the order in which they are to be sent."""

    def __init__(self):
        self.retained = {}
        self.messages = []

    def take(self, messages):
        for message in sorted(messages, key=lambda message: message.delay):
            self.messages.append(message)
            if message.retain and message.payload:
                self.retained[message.topic] = message.payload
            elif message.retain:
                self.retained.pop(message.topic, None)


@pytest.fixture
def broker():
    return Broker()


@pytest.fixture
def node(tmp_path, broker):
    """Return a function that starts a node and connects it."""

    def node(
        sources=("kitchen",), labels=(DOG, SIREN), *, base="ast-edge", confirmed=True, **options
    ):
        config, topics = HomeAssistantConfig(**options), Topics(base, "attic")
        found = describe(
            *(config, topics, dict.fromkeys(sources, labels)),
            models=dict.fromkeys(sources, "home"),
            commands=False,
        )
        topics_of_node = [topic for source in sources for topic in topics.retained(source, labels)]
        home = HomeAssistant(config, topics, found, topics_of_node, tmp_path / "published.json")
        broker.messages.clear()
        broker.take(home.greet())
        for message in broker.messages:
            if confirmed and message.topic in home.subscriptions:
                assert home.received(message.topic, message.payload.encode()) == []
        return home

    return node


def payloads(broker, topic):
    return [message.payload for message in broker.messages if message.topic == topic]


def keys(payload):
    return set(json.loads(payload)["components"])


def test_devices_are_retained_for_a_home_assistant_that_comes_later(node, broker):
    node()
    assert set(broker.retained) == {HOST, KITCHEN}


def test_every_connection_describes_them_again(node, broker):
    home = node()
    broker.retained.clear()
    broker.take(home.greet())
    assert set(broker.retained) == {HOST, KITCHEN}


def test_a_home_assistant_that_starts_is_answered_after_a_random_pause(node):
    home = node()
    answers = [home.received("homeassistant/status", b"online") for _ in range(20)]
    for answer in answers:
        assert [message.topic for message in answer] == [HOST, KITCHEN]
        assert len({message.delay for message in answer}) == 1
    delays = [answer[0].delay for answer in answers]
    assert 0 <= min(delays) < max(delays) <= JITTER


def test_a_home_assistant_that_ends_is_not_answered(node):
    assert node().received("homeassistant/status", b"offline") == []


def test_the_birth_message_can_be_another(node):
    home = node(status_topic="ha/birth", status_online="hello")
    assert "ha/birth" in home.subscriptions
    assert home.received("ha/birth", b"hello")
    assert not home.received("homeassistant/status", b"online")


def test_a_removed_label_is_first_marked_as_removed_and_then_left_out(node, broker):
    node()
    node(labels=[DOG])
    marked, left_out = payloads(broker, KITCHEN)
    assert check("discovery", marked)["components"]["label_siren"] == {"platform": "binary_sensor"}
    assert keys(marked) - keys(left_out) == {"label_siren"}


def test_the_states_of_a_removed_label_are_emptied(node, broker):
    node()
    node(labels=[DOG])
    assert payloads(broker, "ast-edge/attic/kitchen/siren/state") == [""]
    assert payloads(broker, "ast-edge/attic/kitchen/dog/state") == []


def test_what_a_removed_entity_listens_to_is_emptied_when_it_is_gone(node, broker):
    node()
    node(labels=[DOG])
    topics = [message.topic for message in broker.messages]
    emptied = [m for m in broker.messages if m.topic.startswith("ast-edge/attic/kitchen/siren/")]
    assert {message.delay for message in emptied} == {STEP}
    assert topics.index("ast-edge/attic/greeted") == len(topics) - 1


def test_a_removed_source_takes_its_device_along(node, broker):
    node(["kitchen", "hall"])
    node(["hall"])
    assert payloads(broker, KITCHEN) == [""]
    assert KITCHEN not in broker.retained


def test_what_is_gone_is_emptied_once(node, broker):
    node(["kitchen", "hall"])
    node(["hall"])
    node(["hall"])
    assert payloads(broker, KITCHEN) == []


def test_without_confirmation_it_is_emptied_again(node, broker):
    node(["kitchen", "hall"])
    node(["hall"], confirmed=False)  # killed before the broker had it
    node(["hall"])
    assert payloads(broker, KITCHEN) == [""]


def test_what_was_not_confirmed_can_still_be_removed(node, broker):
    node(["kitchen"], confirmed=False)
    node(["hall"])
    assert payloads(broker, KITCHEN) == [""]


def test_a_changed_prefix_leaves_nothing_below_the_old_one(node, broker):
    node()
    node(prefix="ha")
    assert {topic.split("/")[0] for topic in broker.retained} == {"ha"}
    assert not [message for message in broker.messages if message.payload == MIGRATE]


def test_a_changed_base_topic_empties_the_old_states(node, broker):
    node()
    node(base="sounds")
    assert payloads(broker, "ast-edge/attic/kitchen/dog/state") == [""]


def test_switching_discovery_off_removes_every_device(node, broker):
    node()
    home = node(enabled=False)
    assert broker.retained == {}
    assert "homeassistant/status" not in home.subscriptions


@pytest.mark.parametrize("per_entity", [True, False])
def test_a_change_of_form_moves_the_entities_in_steps(node, broker, per_entity):
    node(per_entity=not per_entity)
    old = set(broker.retained)
    node(per_entity=per_entity)
    count = len(old)
    first, second = broker.messages[:count], broker.messages[count : 2 * count]
    assert {m.topic for m in first} == {m.topic for m in second} == old
    assert {(m.payload, m.retain) for m in first} == {(MIGRATE, False)}
    assert {(m.payload, m.retain) for m in second} == {("", True)}
    assert not old & set(broker.retained)


def test_an_entity_that_is_removed_with_the_change_of_form_is_not_moved(node, broker):
    node(per_entity=True)
    node(per_entity=False, labels=[DOG])
    siren = "homeassistant/binary_sensor/ast-edge-attic-kitchen/label_siren/config"
    assert payloads(broker, siren) == [""]


def test_an_entity_that_its_device_does_not_take_along_into_the_other_form_is_removed(node, broker):
    node(per_entity=False)
    node(per_entity=True, labels=[DOG])
    removed, migrate, emptied = payloads(broker, KITCHEN)
    assert check("discovery", removed)["components"] == {
        "label_siren": {"platform": "binary_sensor"}
    }
    assert (migrate, emptied) == (MIGRATE, "")


def test_an_entity_has_the_same_id_in_both_forms(node, broker):
    node()
    before = {
        (key, component["unique_id"])
        for payload in broker.retained.values()
        for key, component in json.loads(payload)["components"].items()
    }
    node(per_entity=True)
    after = {
        (topic.split("/")[-2], json.loads(payload)["unique_id"])
        for topic, payload in broker.retained.items()
    }
    assert before == after


@pytest.mark.parametrize("seed", range(20))
def test_after_any_changes_only_what_is_wanted_is_left(node, broker, seed):
    choose = random.Random(seed)
    for step in range(8):
        options = {
            "sources": choose.sample(["kitchen", "hall", "attic-2"], choose.randint(1, 3)),
            "labels": choose.sample([DOG, SIREN], choose.randint(1, 2)),
            "per_entity": choose.random() < 0.5,
            "prefix": choose.choice(["homeassistant", "ha/deep"]),
            "enabled": choose.random() < 0.8,
        }
        node(**options, confirmed=step == 7 or choose.random() < 0.5)
    left = dict(broker.retained)
    broker.retained.clear()
    node(**options)
    assert left == broker.retained


@pytest.fixture
def live(tmp_path):
    """A real broker, and a function that opens a sink there with discovery and status."""
    if reason := mosquitto.available():
        pytest.skip(reason)
    sinks = []

    def live(labels=(DOG, SIREN)):
        config, topics = MqttConfig(host="127.0.0.1", port=server.port), Topics("ast-edge", "attic")
        options, sources = config.home_assistant, ["kitchen"]
        found = describe(
            *(options, topics, dict.fromkeys(sources, labels)),
            models=dict.fromkeys(sources, "home"),
            commands=False,
        )
        home = HomeAssistant(
            *(options, topics, found, topics.retained("kitchen", labels)),
            record=tmp_path / "published.json",
            jitter=lambda: 0.0,
        )
        status = NodeStatus(topics, sources, since=0.0)
        entities = [("kitchen", label) for label in labels]
        sinks.append(started(config, entities, participants=[status, home]))
        assert sinks[-1].wait_connected(10.0)
        return sinks[-1], status

    with Mosquitto(tmp_path) as server:
        yield server, live
        for sink in sinks:
            sink.close()


def test_a_real_broker_holds_devices_and_status(live):
    broker, open_sink = live
    with Subscriber(broker) as subscriber:
        open_sink()
        subscriber.wait_on("ast-edge/attic/greeted")
    held = retained(broker)
    check("discovery", held[HOST])
    check("discovery", held[KITCHEN])
    assert check("status", held["ast-edge/attic/kitchen/status"])["state"] == "starting"


def test_a_real_broker_forgets_a_label_that_was_removed(live):
    broker, open_sink = live
    with Subscriber(broker) as subscriber:
        sink, _ = open_sink()
        subscriber.wait_on("ast-edge/attic/greeted")
        sink.close()
        open_sink([DOG])
        subscriber.wait_on("ast-edge/attic/greeted", 2)
    held = retained(broker)
    assert "ast-edge/attic/kitchen/siren/state" not in held
    assert "label_siren" not in keys(held[KITCHEN])


def test_a_birth_message_at_a_real_broker_is_answered(live):
    broker, open_sink = live
    with Subscriber(broker) as subscriber:
        open_sink()
        subscriber.wait_on("ast-edge/attic/greeted")
        before = len(subscriber.on(KITCHEN))
        broker.publish("homeassistant/status", "online")
        subscriber.wait_on(KITCHEN, before + 1)


def test_what_a_source_says_reaches_a_real_broker(live):
    broker, open_sink = live
    with Subscriber(broker) as subscriber:
        sink, status = open_sink()
        sink.publish_messages(lambda: status.source_state("kitchen", "listening", since=1.0))
        sink.publish_messages(lambda: status.level("kitchen", Level(-3.0, -6.0), now=0.0))
        (level,) = subscriber.wait_on("ast-edge/attic/kitchen/level")
    check("level", level)
    assert retained(broker)["ast-edge/attic/kitchen/availability"] == "online"


def test_the_confirmation_of_another_configuration_counts_for_nothing(node, broker):
    node(labels=(DOG, SIREN), confirmed=False)
    (told,) = [message for message in broker.messages if message.topic == "ast-edge/attic/greeted"]
    second = node(labels=(DOG,), confirmed=False)
    second.received(told.topic, told.payload.encode())
    node(labels=(DOG,))  # as far as is known, the broker may still have the Siren
    assert json.loads(payloads(broker, KITCHEN)[0])["components"]["label_siren"] == {
        "platform": "binary_sensor"
    }
