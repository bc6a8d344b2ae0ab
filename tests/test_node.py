"""A daemon of one's own at a real broker: what it says, and how it follows commands."""

import json
import random
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile
import yaml
from rigs import mosquitto
from rigs.mosquitto import Mosquitto, Subscriber, wait_until

pytest.importorskip("onnx", reason="onnx is not installed")
from rigs.model import RATE, silence, tone, write_bundle

pytestmark = pytest.mark.skipif(bool(mosquitto.available()), reason=mosquitto.available())

ROOT = "ast-edge/attic/"
DEVICE = "homeassistant/device/ast-edge-attic-kitchen/config"


class Daemon:
    """`ast-edge run` with a sound as its source, a minute of silence unless given."""

    def __init__(self, folder, broker, sound=None, **mqtt):
        sound = silence(60) if sound is None else sound
        soundfile.write(folder / "sound.wav", sound, RATE)
        self._config, self._log = folder / "mic.yaml", folder / "log"
        tree = {
            "node": "attic",
            "bundle": str(write_bundle(folder / "bands")),
            "sources": {"kitchen": {"file": str(folder / "sound.wav")}},
            "mqtt": {"host": "127.0.0.1", "port": broker.port, **mqtt},
        }
        self._config.write_text(yaml.safe_dump(tree))

    def change(self, **keys):
        tree = yaml.safe_load(self._config.read_text())
        self._config.write_text(yaml.safe_dump(tree | keys))

    def __enter__(self):
        self.start()
        return self

    def start(self):
        command = [sys.executable, "-m", "ast_edge", "run", "--config", str(self._config)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stderr=log)

    def __exit__(self, *_):
        self._process.terminate()
        assert self._process.wait(20) == 0, self._log.read_text()

    def kill(self):
        self._process.kill()
        self._process.wait(20)


@pytest.fixture
def broker(tmp_path):
    (tmp_path / "broker").mkdir()
    with Mosquitto(tmp_path / "broker") as broker:
        yield broker


def payloads(subscriber, topic):
    return [m["payload"] for m in subscriber.messages if m["topic"] == topic]


def newest(subscriber, topic, payload):
    return wait_until(lambda: payloads(subscriber, topic)[-1:] == [payload])


@pytest.mark.slow
def test_a_threshold_is_acknowledged_and_kept_over_a_restart(broker, tmp_path):
    with Subscriber(broker) as heard, Daemon(tmp_path, broker):
        newest(heard, ROOT + "kitchen/availability", "online")
        broker.publish(ROOT + "kitchen/set/hum/on", "0.875")
        newest(heard, ROOT + "kitchen/hum/on", "0.875")
        wait_until(lambda: len(payloads(heard, ROOT + "availability")) == 1)
        # Not so soon after connecting that it could be a retained message.
        wait_until(lambda: _restarted(broker, heard))
        newest(heard, ROOT + "availability", "online")
        newest(heard, ROOT + "kitchen/hum/on", "0.875")


def _restarted(broker, heard):
    broker.publish(ROOT + "kitchen/set/restart", "PRESS")
    return "offline" in payloads(heard, ROOT + "availability")


def test_a_command_that_cannot_be_is_answered_with_the_reason(broker, tmp_path):
    with Subscriber(broker) as heard, Daemon(tmp_path, broker):
        newest(heard, ROOT + "kitchen/availability", "online")
        broker.publish(ROOT + "kitchen/set/hum/on", "[[[[")
        wait_until(lambda: payloads(heard, ROOT + "kitchen/rejected"))
    (answer,) = payloads(heard, ROOT + "kitchen/rejected")
    assert "expected a number from 0 to 1" in json.loads(answer)["reason"]


def test_without_commands_none_is_followed_and_no_switch_is_shown(broker, tmp_path):
    with Subscriber(broker) as heard, Daemon(tmp_path, broker, commands=False):
        newest(heard, ROOT + "kitchen/availability", "online")
        broker.publish(ROOT + "kitchen/set/enabled", "OFF")
        wait_until(lambda: payloads(heard, DEVICE))
    assert not payloads(heard, ROOT + "kitchen/enabled")
    components = json.loads(payloads(heard, DEVICE)[0])["components"]
    assert not {c["platform"] for c in components.values()} & {"switch", "number", "button"}


@pytest.mark.slow
def test_what_leaves_the_configuration_leaves_home_assistant(broker, tmp_path):
    daemon = Daemon(tmp_path, broker)
    with Subscriber(broker) as heard:
        with daemon:
            wait_until(lambda: payloads(heard, ROOT + "greeted"))
        daemon.change(labels={"Hum": None})
        with daemon:
            wait_until(lambda: len(payloads(heard, ROOT + "greeted")) == 2)
    described = [json.loads(payload)["components"] for payload in payloads(heard, DEVICE)]
    assert "state_topic" in described[0]["label_hiss"]
    assert described[1]["label_hiss"] == {"platform": "binary_sensor"}  # that is: remove it
    assert "label_hiss" not in described[-1]
    assert payloads(heard, ROOT + "kitchen/hiss/state")[-1] == ""


@pytest.mark.slow
def test_no_event_is_lost_when_daemon_and_broker_die(tmp_path):
    rng = random.Random(3)
    sound = np.concatenate([silence(1.5), tone("Hum", 0.5), tone("Hiss", 0.5)] * 10)
    (tmp_path / "broker").mkdir()
    broker = Mosquitto(tmp_path / "broker", persistent=True)
    daemon = Daemon(tmp_path, broker, sound)
    daemon.change(hop=0.1, jsonl=str(tmp_path / "events.jsonl"))
    broker.start()
    with Subscriber(broker) as heard:
        for _ in range(3):
            daemon.start()
            wait_until(lambda: heard.on(ROOT + "kitchen/event"))
            time.sleep(rng.uniform(1, 3))
            broker.stop()  # not killed: it would forget what the subscriber has not got yet
            time.sleep(rng.uniform(2, 4))
            daemon.kill()
            broker.start()
        with daemon:
            written = _messages((tmp_path / "events.jsonl").read_text().splitlines())
            wait_until(lambda: set(written) <= set(_heard(heard)))
    arrived = list(dict.fromkeys(m for m in _heard(heard) if m in set(written)))
    broker.kill()
    assert len(written) > 12
    assert arrived == written


def _messages(lines):
    return [json.loads(line)["message"] for line in lines]


def _heard(heard):
    return _messages(heard.on(ROOT + "kitchen/event"))
