import pytest
from rigs.broker import mosquitto
from rigs.broker.fleet import OTHER_SUM, SUM, info, say
from rigs.broker.mosquitto import PASSWORD, Mosquitto, wait_until

from ast_edge.base.errors import BrokerError, ConfigError
from ast_edge.fleet.info import BundleInfo
from ast_edge.fleet.inventory import Inventory, NodeState
from ast_edge.mqtt.config import MqttConfig

pytestmark = pytest.mark.skipif(bool(mosquitto.available()), reason=mosquitto.available())


def at(broker, **options):
    return MqttConfig(host="127.0.0.1", port=broker.port, **options)


def test_all_nodes_are_there_with_what_they_say_of_themselves(broker):
    for name in ("barn", "attic"):
        say(broker, name)
    with Inventory(at(broker)) as inventory:
        nodes = inventory.read()
    assert list(nodes) == ["attic", "barn"]
    assert nodes["attic"].online
    assert nodes["attic"].info.payload == info("attic").payload


def test_nodes_of_another_base_topic_are_another_fleet(broker):
    say(broker, "attic")
    with Inventory(at(broker, base_topic="site/ast-edge")) as inventory:
        assert inventory.read() == {}


def test_a_node_that_is_away_is_stale(broker):
    say(broker, "attic", "offline")
    with Inventory(at(broker)) as inventory:
        assert inventory.read()["attic"].stale


def test_a_node_that_never_said_who_it_is_is_stale(broker):
    broker.publish("ast-edge/attic/availability", "online", "-r")
    with Inventory(at(broker)) as inventory:
        assert inventory.read()["attic"].stale


@pytest.mark.parametrize("payload", ["nonsense", "[1]", '{"schema": 99}'])
def test_a_node_of_another_version_is_there_and_strange(broker, payload):
    broker.publish("ast-edge/attic/info", payload, "-r")
    with Inventory(at(broker)) as inventory:
        node = inventory.read()["attic"]
    assert node.strange
    assert node.info is None


def test_a_node_whose_messages_were_taken_away_is_forgotten(broker):
    say(broker, "attic")
    with Inventory(at(broker)) as inventory:
        inventory.read()
        for what in ("availability", "info"):
            broker.publish(f"ast-edge/attic/{what}", "", "-r")
        assert inventory.wait_for(lambda nodes: not nodes, 10)


def test_what_changes_is_told(broker):
    say(broker, "attic")
    told = []
    with Inventory(at(broker), lambda before, after: told.append((before, after))) as inventory:
        inventory.read()
        told.clear()
        broker.publish("ast-edge/attic/availability", "offline", "-r")
        wait_until(lambda: told)
    ((before, after),) = told
    assert before.online
    assert after.online is False


def test_what_is_said_again_is_no_change(broker):
    say(broker, "attic")
    told = []
    with Inventory(at(broker), lambda before, after: told.append(after)) as inventory:
        inventory.read()
        told.clear()
        say(broker, "attic")
        say(broker, "barn")
        wait_until(lambda: [node.name for node in told] == ["barn", "barn"])


def test_a_bundle_is_found_by_its_name_and_by_its_sum():
    mine = (BundleInfo("home", SUM, 57), BundleInfo("own", OTHER_SUM, 3))
    node = NodeState("attic", True, info("attic", bundles=mine))
    assert [node.has_bundle(w) for w in ("own", "abab", "CDCD", SUM)] == [True] * 4
    assert [node.has_bundle(w) for w in ("how", "ab", "abac", "")] == [False] * 4


def test_a_broker_that_is_not_there_is_said(broker):
    broker.kill()
    with (
        Inventory(at(broker)) as inventory,
        pytest.raises(BrokerError, match=r"127\.0\.0\.1:\d+: .*refused"),
    ):
        inventory.read()


def test_a_broker_that_lets_nobody_read_is_said(tmp_path):
    if mosquitto.dynamic_security() is None:
        pytest.skip("mosquitto's plug-in for rights is not installed")
    with (
        Mosquitto(tmp_path, deaf="refused") as broker,
        Inventory(at(broker)) as inventory,
        pytest.raises(BrokerError, match="does not let us subscribe to ast-edge/"),
    ):
        inventory.read()


def test_a_wrong_password_is_said(tmp_path):
    with Mosquitto(tmp_path, password=True) as broker:
        config = at(broker, username="daemon", password=PASSWORD + "x")
        with Inventory(config) as inventory, pytest.raises(BrokerError, match="user name"):
            inventory.read()


def test_the_broker_of_one_daemon_alone_has_no_fleet():
    with pytest.raises(ConfigError, match="--broker"):
        Inventory(MqttConfig(embedded=True))
