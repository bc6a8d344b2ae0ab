import json

import pytest
from rigs.broker import mosquitto
from rigs.broker.fleet import say
from rigs.broker.mosquitto import Mosquitto, retained
from rigs.hub.server import Hub

pytest.importorskip("onnx", reason="onnx is not installed")
from rigs.hub.updates import make_bundle, publish

from ast_edge.cli.main import main
from ast_edge.fleet.update_status import UpdateStatus

pytestmark = pytest.mark.skipif(bool(mosquitto.available()), reason=mosquitto.available())

NODES = ("attic", "barn")


def tell(broker, node, state="none", **more):
    status = UpdateStatus(state, "", "home aaaaaaaa", "home aaaaaaaa", **more)
    broker.publish(f"ast-edge/{node}/update", status.payload, "-r")


@pytest.fixture
def fleet(broker, capsys):
    """Run an action on two nodes that follow pointers, at a broker."""
    for node in NODES:
        say(broker, node)
        tell(broker, node)

    def fleet(action, *options):
        status = main(["fleet", action, "--broker", f"127.0.0.1:{broker.port}", *options])
        said = capsys.readouterr()
        return status, said.out + said.err

    return fleet


@pytest.fixture
def hub():
    with Hub() as hub:
        yield hub


@pytest.fixture
def bundle(tmp_path):
    return make_bundle(tmp_path / "better", "better")


def pointer_at(broker, topic):
    return json.loads(retained(broker)[topic])


def test_a_node_is_pointed_to_a_bundle_by_its_sum_and_size(fleet, broker, hub, bundle):
    expected = publish(hub, bundle)
    status, out = fleet("update", expected.url, "--node", "attic", "--name", "Better")
    assert status == 0, out
    found = pointer_at(broker, "ast-edge/attic/desired")
    assert (found["sha256"], found["size"]) == (expected.sha256, expected.size)
    assert found["name"] == "Better"
    assert "ast-edge/barn/desired" not in retained(broker)


def test_a_bundle_that_is_here_is_not_fetched(fleet, broker, hub, bundle):
    expected = publish(hub, bundle)
    hub.asked.clear()
    assert fleet("update", expected.url, "--all", "--folder", str(bundle))[0] == 0
    assert not hub.asked
    assert pointer_at(broker, "ast-edge/desired")["sha256"] == expected.sha256


def test_the_serial_is_higher_than_what_stands_there_and_what_nodes_have_seen(
    fleet, broker, hub, bundle
):
    url = publish(hub, bundle).url
    options = ["--folder", str(bundle)]
    tell(broker, "barn", seen={"all": 7, "node": 3})
    fleet("update", url, "--all", *options)
    assert pointer_at(broker, "ast-edge/desired")["serial"] == 8
    fleet("update", url, "--all", *options)
    assert pointer_at(broker, "ast-edge/desired")["serial"] == 9
    fleet("update", url, "--node", "barn", *options)
    assert pointer_at(broker, "ast-edge/barn/desired")["serial"] == 4


def test_a_damaged_bundle_is_found_before_anybody_is_pointed_to_it(fleet, broker, hub, bundle):
    url = publish(hub, bundle).url
    hub.files["models/better/model.onnx"] = b"half"
    status, out = fleet("update", url, "--all")
    assert status == 65
    assert "is not what was promised" in out
    assert "ast-edge/desired" not in retained(broker)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--node", "attic", "attik"], "did you mean 'attic'?"),
        (["--node", "attic", "--min-version", "soon"], "min_version"),
        (["--node", "attic", "--name", "x" * 99], "name"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_left(fleet, broker, bundle, options, reason):
    status, out = fleet("update", "https://h/x", "--folder", str(bundle), *options)
    assert (status, reason in out) == (78, True)
    assert not [topic for topic in retained(broker) if topic.endswith("desired")]


def test_an_address_that_could_be_read_in_two_ways_is_refused(fleet, bundle):
    status, out = fleet("update", "https://h/x?y", "--node", "attic", "--folder", str(bundle))
    assert (status, "query" in out) == (78, True)


def test_who_waits_is_told_of_those_that_are_away_or_follow_nothing(fleet, broker, hub, bundle):
    say(broker, "barn", "offline")
    say(broker, "cellar")
    url = publish(hub, bundle).url
    options = ["--folder", str(bundle), "--wait", "0.1"]
    status, out = fleet("update", url, "--all", *options)
    assert status == 1
    assert "barn: is away" in out
    assert "cellar: follows no pointers" in out


def test_a_rollback_is_told_to_nodes_that_have_something_to_return_to(fleet, broker):
    tell(broker, "attic", "installed", previous="home aaaaaaaa")
    status, out = fleet("rollback", "--all")
    assert status == 0
    assert "told: attic" in out
    assert "nothing to return to: barn" in out


def test_a_rollback_that_nobody_could_follow_is_a_fault(fleet):
    assert fleet("rollback", "--node", "attic")[0] == 1


def test_a_broker_that_refuses_is_said(tmp_path, capsys, bundle):
    rules = tmp_path / "rules"
    rules.write_text("topic read #\ntopic write rig/#\n")
    rules.chmod(0o600)
    (tmp_path / "broker").mkdir()
    with Mosquitto(tmp_path / "broker", options=[f"acl_file {rules}"]) as broker:
        where = ["--broker", f"127.0.0.1:{broker.port}", "--folder", str(bundle)]
        assert main(["fleet", "update", "https://h/x", "--all", *where]) == 69
    assert "does not let us publish to ast-edge/desired" in capsys.readouterr().err


def test_the_list_shows_how_far_an_update_is(fleet, broker):
    tell(broker, "attic", "downloading", percentage=40)
    assert "downloading 40 %" in fleet("list")[1]
