"""A daemon at brokers that speak MQTT 3.1.1 among other things."""

import pytest
from rigs.broker.mosquitto import wait_until
from rigs.broker.others import Nats, RabbitMq

pytest.importorskip("onnx", reason="onnx is not installed")
from rigs.hub.server import Hub
from rigs.hub.updates import make_bundle, publish
from rigs.reloadable import Reloadable

from ast_edge.fleet.inventory import Inventory
from ast_edge.mqtt.config import MqttConfig
from ast_edge.mqtt.message import Message

pytestmark = pytest.mark.slow
PATIENCE = 60


@pytest.fixture(params=[Nats, RabbitMq])
def broker(request, tmp_path):
    if reason := request.param.available():
        pytest.skip(reason)
    (tmp_path / "broker").mkdir()
    with request.param(tmp_path / "broker") as broker:
        yield broker


@pytest.fixture
def hub():
    with Hub() as hub:
        yield hub


@pytest.fixture
def daemon(tmp_path, broker, hub):
    daemon = Reloadable(tmp_path, broker, protocol="3.1.1")
    daemon.change(updates={"places": [hub.url], "spread": 0})
    with daemon:
        wait_until(lambda: "connected" in daemon.log.read_text(), PATIENCE)
        daemon.wait_for_events(1)
        yield daemon


def look(broker):
    return Inventory(MqttConfig(host="127.0.0.1", port=broker.port, protocol="3.1.1"))


def test_events_are_delivered(daemon, broker):
    wait_until(lambda: daemon.status()["broker"]["waiting"] == 0, PATIENCE)
    assert daemon.status()["broker"]["lost"] == 0


def test_a_node_is_listed_where_wildcards_get_what_is_retained(daemon, broker):
    with look(broker) as inventory:
        found = inventory.read()
    if isinstance(broker, RabbitMq):
        assert found == {}  # documented: its plug-in gives nobody what is retained, by a wildcard
    else:
        assert found["attic"].online
        assert found["attic"].info.bundles[0].name == "bands"


def test_a_pointer_is_followed_also_when_it_was_there_before(daemon, broker, hub, tmp_path):
    pointer = publish(hub, make_bundle(tmp_path / "better", "better"))
    daemon.process.terminate()
    daemon.wait()
    with look(broker) as inventory:
        inventory.read()
        inventory.publish([Message("ast-edge/attic/desired", pointer.payload, retain=True)])
    daemon.start()
    wait_until(lambda: "is used from now on" in daemon.log.read_text(), PATIENCE)
