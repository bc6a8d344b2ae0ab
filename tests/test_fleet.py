"""Daemons of one's own as nodes of a fleet: who they say they are."""

import json

import pytest
from rigs.broker import mosquitto
from rigs.broker.mosquitto import Mosquitto, Subscriber, retained, wait_until
from rigs.broker.payloads import check

pytest.importorskip("onnx", reason="onnx is not installed")
from rigs.daemon import Daemon
from rigs.model import silence
from rigs.reloadable import Reloadable

from ast_edge import __version__
from ast_edge.app.config import load_config

pytestmark = pytest.mark.skipif(bool(mosquitto.available()), reason=mosquitto.available())


@pytest.fixture
def broker(tmp_path):
    (tmp_path / "broker").mkdir()
    with Mosquitto(tmp_path / "broker") as broker:
        yield broker


INFO = "ast-edge/attic/info"


def test_a_daemon_says_who_it_is(broker, tmp_path):
    with Subscriber(broker) as heard, Daemon(tmp_path, broker, silence(60)) as daemon:
        payload = heard.wait_on(INFO)[0]
    info = check("info", payload)
    assert (info["node"], info["version"]) == ("attic", __version__)
    assert info["sources"] == {"kitchen": {"kind": "file", "bundle": "bands"}}
    assert info["labels"] == ["hum", "hiss"]
    assert info["config"] == load_config(daemon.config).fingerprint
    assert info["bundles"][0]["name"] == "bands"
    assert info["engine"].startswith("OpenVINO")
    assert retained(broker)[INFO] == payload


@pytest.mark.slow
def test_a_reload_says_it_anew(broker, tmp_path):
    with Subscriber(broker) as heard, Reloadable(tmp_path, broker) as daemon:
        first = json.loads(heard.wait_on(INFO)[0])
        daemon.wait_for_events(1)
        daemon.reload(labels={"Hum": None})
        second = json.loads(heard.wait_on(INFO, 2)[-1])
    assert second["labels"] == ["hum"]
    assert second["config"] != first["config"]
    assert second["since"] == first["since"]


@pytest.mark.slow
def test_a_node_that_is_renamed_takes_what_it_said_away(broker, tmp_path):
    daemon = Daemon(tmp_path, broker, silence(60))
    with Subscriber(broker) as heard:
        with daemon:
            heard.wait_on("ast-edge/attic/greeted")
        daemon.change(mqtt={"host": "127.0.0.1", "port": broker.port, "base_topic": "site"})
        with daemon:
            heard.wait_on("site/attic/info")
            wait_until(lambda: heard.on(INFO)[-1] == "")
