"""A daemon of one's own at a real broker: what it says, and how it follows commands."""

import json

import numpy as np
import pytest
from rigs.broker import mosquitto
from rigs.broker.mosquitto import Mosquitto, Subscriber, retained, wait_until

pytest.importorskip("onnx", reason="onnx is not installed")
from rigs.daemon import Daemon
from rigs.model import silence, tone

pytestmark = pytest.mark.skipif(bool(mosquitto.available()), reason=mosquitto.available())

ROOT = "ast-edge/attic/"
DEVICE = "homeassistant/device/ast-edge-attic-kitchen/config"


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
    with Subscriber(broker) as heard, Daemon(tmp_path, broker, silence(60)):
        newest(heard, ROOT + "kitchen/availability", "online")
        broker.publish(ROOT + "kitchen/set/hum/on", "0.875")
        newest(heard, ROOT + "kitchen/hum/on", "0.875")
        broker.publish(ROOT + "kitchen/set/restart", "PRESS")
        wait_until(
            lambda: payloads(heard, ROOT + "availability") == ["online", "offline", "online"]
        )
        newest(heard, ROOT + "kitchen/hum/on", "0.875")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"labels": {"Humm": None}}, "did you mean 'Hum'?"),
        ({"jsonl": "/proc/version"}, "jsonl: cannot append to /proc/version"),
        ({"clips": {"folder": "/proc/clips"}}, "clips.folder: /proc/clips: cannot be made"),
        ({"mqtt": {"host": "a..b"}}, "mqtt.host: expected a host name or address"),
    ],
)
def test_a_restart_that_could_not_begin_is_refused_and_all_goes_on(
    broker, tmp_path, change, reason
):
    with Subscriber(broker) as heard, Daemon(tmp_path, broker, silence(60)) as daemon:
        newest(heard, ROOT + "kitchen/availability", "online")
        daemon.change(**change)
        broker.publish(ROOT + "kitchen/set/restart", "PRESS")
        (answer,) = wait_for(heard, ROOT + "kitchen/rejected")
        assert reason in json.loads(answer)["reason"]
        broker.publish(ROOT + "kitchen/set/hum/on", "0.875")
        newest(heard, ROOT + "kitchen/hum/on", "0.875")
    assert payloads(heard, ROOT + "availability") == ["online", "offline"]


def test_retained_commands_are_not_followed_and_a_live_one_is(broker, tmp_path):
    for name, payload in (("enabled", "OFF"), ("snooze", "600"), ("hum/on", "0.99")):
        broker.publish(ROOT + "kitchen/set/" + name, payload, "-r")
    with Subscriber(broker) as heard, Daemon(tmp_path, broker, silence(60)):
        wait_until(lambda: len(payloads(heard, ROOT + "kitchen/rejected")) == 3)
        broker.publish(ROOT + "kitchen/set/hum/on", "0.875")
        newest(heard, ROOT + "kitchen/hum/on", "0.875")
    assert set(payloads(heard, ROOT + "kitchen/enabled")) == {"ON"}
    assert set(payloads(heard, ROOT + "kitchen/snooze")) == {"0"}
    assert "0.99" not in payloads(heard, ROOT + "kitchen/hum/on")


def wait_for(subscriber, topic):
    wait_until(lambda: payloads(subscriber, topic))
    return payloads(subscriber, topic)


def test_a_command_that_cannot_be_is_answered_with_the_reason(broker, tmp_path):
    with Subscriber(broker) as heard, Daemon(tmp_path, broker, silence(60)):
        newest(heard, ROOT + "kitchen/availability", "online")
        broker.publish(ROOT + "kitchen/set/hum/on", "[[[[")
        wait_until(lambda: payloads(heard, ROOT + "kitchen/rejected"))
    (answer,) = payloads(heard, ROOT + "kitchen/rejected")
    assert "expected a number from 0 to 1" in json.loads(answer)["reason"]


def test_without_commands_none_is_followed_and_no_switch_is_shown(broker, tmp_path):
    with Subscriber(broker) as heard, Daemon(tmp_path, broker, silence(60), commands=False):
        newest(heard, ROOT + "kitchen/availability", "online")
        broker.publish(ROOT + "kitchen/set/enabled", "OFF")
        wait_until(lambda: payloads(heard, DEVICE))
    assert not payloads(heard, ROOT + "kitchen/enabled")
    components = json.loads(payloads(heard, DEVICE)[0])["components"]
    assert not {c["platform"] for c in components.values()} & {"switch", "number", "button"}


@pytest.mark.slow
def test_what_leaves_the_configuration_leaves_home_assistant(broker, tmp_path):
    daemon = Daemon(tmp_path, broker, silence(60))
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


def test_whoever_hears_a_state_has_the_attributes_of_its_event_already(broker, tmp_path):
    state, attributes = ROOT + "kitchen/hum/state", ROOT + "kitchen/hum/attributes"
    with Subscriber(broker) as heard, Daemon(tmp_path, broker, None) as daemon:
        daemon.feed(np.concatenate([tone("Hum", 3.0), silence(5)]))
        wait_until(lambda: payloads(heard, state)[-2:] == ["ON", "OFF"])
    told = [
        message["payload"] if message["topic"] == state else json.loads(message["payload"])["type"]
        for message in heard.messages
        if message["topic"] in (state, attributes) and message["payload"]
    ]
    assert told[-4:] == ["start", "ON", "end", "OFF"]


def test_an_event_that_was_cut_short_has_ended_for_late_joiners(broker, tmp_path):
    with Daemon(tmp_path, broker, None) as daemon:
        daemon.feed(tone("Hum", 3.0))
        wait_until(lambda: _newest(broker, "kitchen/hum/attributes").get("type") == "start")
        daemon.kill()
        daemon.start()
        wait_until(lambda: _newest(broker, "kitchen/hum/attributes")["type"] == "end")
        wait_until(lambda: _newest(broker, "kitchen/last")["type"] == "end")


def test_a_source_that_is_switched_off_says_so(broker, tmp_path):
    with Daemon(tmp_path, broker, silence(60)):
        wait_until(lambda: _newest(broker, "kitchen/status").get("state") == "listening")
        broker.publish(ROOT + "kitchen/set/enabled", "OFF")
        wait_until(lambda: _newest(broker, "kitchen/status")["state"] == "disabled")
        broker.publish(ROOT + "kitchen/set/enabled", "ON")
        wait_until(lambda: _newest(broker, "kitchen/status")["state"] == "listening")


def _newest(broker, topic):
    return json.loads(retained(broker).get(ROOT + topic, "{}"))
