"""Sources with bundles of their own: a daemon as a process at a real broker."""

import json
import signal

import numpy as np
import pytest
from rigs.broker import mosquitto
from rigs.broker.mosquitto import Mosquitto, Subscriber, retained, wait_until
from rigs.daemon import Daemon

pytest.importorskip("onnx", reason="onnx is not installed")
from rigs.model import silence, tone, write_other_bundle

from ast_edge.base.runtime_folder import find_sockets
from ast_edge.monitoring.status_socket import ask

pytestmark = pytest.mark.skipif(bool(mosquitto.available()), reason=mosquitto.available())

ROOT = "ast-edge/attic/"
DEVICE = "homeassistant/device/ast-edge-attic-{}/config"
HUM = np.concatenate([silence(1), tone("Hum", 119)])
"""What "bands" calls Hum, and "other" Buzz: an event as long as a test takes."""


class TwoBundles(Daemon):
    """A daemon whose kitchen is heard with "bands", and whose bath hears the same with "other"."""

    def __init__(self, folder, broker):
        super().__init__(folder, broker, HUM)
        self.kitchen = {"file": str(folder / "sound.wav")}
        self.bath = self.kitchen | {"bundle": str(write_other_bundle(folder / "other"))}
        self.change(sources={"kitchen": self.kitchen, "bath": self.bath})

    def reload(self, **keys):
        said = "configuration reloaded"
        before = self.log.read_text().count(said)
        self.change(**keys)
        self.process.send_signal(signal.SIGHUP)
        wait_until(lambda: self.log.read_text().count(said) > before)

    def status(self):
        return json.loads(ask(find_sockets()[0]))

    def heard(self, source):
        """Return what has begun or ended at a source: phase, label and bundle."""
        found = [e for e in self.written() if e["source"] == source and e["type"] != "update"]
        return [(e["type"], e["label"], e["bundle"]) for e in found]


@pytest.fixture
def broker(tmp_path):
    (tmp_path / "broker").mkdir()
    with Mosquitto(tmp_path / "broker") as broker:
        yield broker


@pytest.fixture
def daemon(tmp_path, broker):
    with TwoBundles(tmp_path, broker) as daemon:
        wait_until(lambda: daemon.config.with_name("events.jsonl").exists())
        wait_until(lambda: daemon.heard("kitchen") and daemon.heard("bath"))
        yield daemon


def model(broker, source):
    return json.loads(retained(broker)[ROOT + f"{source}/diagnostics"])["model"]


def test_each_source_is_told_in_the_words_of_its_own_bundle(daemon, broker):
    assert daemon.heard("kitchen") == [("start", "Hum", "bands")]
    assert daemon.heard("bath") == [("start", "Buzz", "other")]
    with Subscriber(broker) as subscriber:
        for topic in ("kitchen/hum/state", "kitchen/hiss/state", "bath/buzz/state"):
            subscriber.wait_on(ROOT + topic)
        wait_until(lambda: subscriber.on(ROOT + "bath/buzz/state")[-1] == "ON")
        wait_until(
            lambda: {DEVICE.format(s) for s in ("kitchen", "bath")} <= retained(broker).keys()
        )
        found = retained(broker)
    assert ROOT + "bath/hiss/state" not in found
    assert ROOT + "kitchen/buzz/state" not in found
    device = json.loads(found[DEVICE.format("bath")])
    labels = {key for key in device["components"] if key.startswith("label_")}
    assert labels == {"label_buzz", "label_hum"}
    assert device["device"]["model"].endswith("model other")
    wait_until(lambda: ROOT + "bath/diagnostics" in retained(broker))
    assert model(broker, "bath") == "other"


def test_a_command_for_a_label_that_only_another_source_has_is_rejected(daemon, broker):
    with Subscriber(broker) as subscriber:
        subscriber.wait_on(ROOT + "kitchen/hiss/on")
        broker.publish(ROOT + "bath/set/hiss/on", "0.75")
        wait_until(lambda: subscriber.on(ROOT + "bath/rejected"))
        (refusal,) = subscriber.on(ROOT + "bath/rejected")
        assert json.loads(refusal)["reason"].startswith("no label 'hiss' at 'bath'")
        broker.publish(ROOT + "kitchen/set/hiss/on", "0.75")
        wait_until(lambda: subscriber.on(ROOT + "kitchen/hiss/on")[-1] == "0.75")
        assert not subscriber.on(ROOT + "bath/hiss/on")


def test_another_bundle_at_a_reload_is_of_this_source_alone(daemon, broker):
    daemon.reload(sources={"kitchen": daemon.kitchen, "bath": daemon.kitchen})
    wait_until(lambda: len(daemon.heard("bath")) == 3)
    assert daemon.heard("bath") == [
        ("start", "Buzz", "other"),
        ("end", "Buzz", "other"),
        ("start", "Hum", "bands"),
    ]
    wait_until(lambda: not [topic for topic in retained(broker) if "/buzz/" in topic])
    assert daemon.status()["bundle"] == "bands"
    daemon.reload(sources={"kitchen": daemon.kitchen, "bath": daemon.bath})
    wait_until(
        lambda: daemon.heard("bath")[3:] == [("end", "Hum", "bands"), ("start", "Buzz", "other")]
    )
    assert daemon.heard("kitchen") == [("start", "Hum", "bands")]
    sources = daemon.status()["sources"]
    assert (sources["kitchen"]["gaps"], sources["bath"]["bundle"]) == (0, "other")


def test_a_bundle_that_cannot_be_read_is_refused_and_all_goes_on(daemon):
    daemon.change(sources={"kitchen": daemon.kitchen, "bath": daemon.kitchen | {"bundle": "hose"}})
    daemon.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "reload refused" in daemon.log.read_text())
    refusal = daemon.status()["reload"]["refusal"]
    assert "sources.bath.bundle: no bundle 'hose'" in refusal
    assert daemon.heard("bath") == [("start", "Buzz", "other")]
