"""SIGHUP to a daemon of one's own at a real broker: what changes, and what goes on."""

import json
import signal

import numpy as np
import pytest
import soundfile
from rigs.broker import mosquitto
from rigs.broker.mosquitto import PASSWORD, USER, Mosquitto, Subscriber, retained, wait_until
from rigs.daemon import Daemon

pytest.importorskip("onnx", reason="onnx is not installed")
from rigs.model import RATE, silence, tone
from rigs.reloadable import FINE, REFUSED, Reloadable

pytestmark = pytest.mark.skipif(bool(mosquitto.available()), reason=mosquitto.available())

ROOT = "ast-edge/attic/"
DEVICE = "homeassistant/device/ast-edge-attic-{}/config"


@pytest.fixture
def other(folder):
    """Another source, in which it hisses."""
    sound = np.concatenate([silence(1), tone("Hiss", 119)])
    soundfile.write(folder / "other.wav", sound, RATE)
    return {"file": str(folder / "other.wav")}


def kitchen(daemon):
    return daemon.settings("sources")["kitchen"]


def test_a_running_event_goes_on_when_another_label_changes(daemon):
    daemon.reload(labels={"Hum": None, "Hiss": {"on": 0.875}})
    assert "labels changed: Hiss" in daemon.log.read_text()
    assert len(daemon.phases()) == 1


def test_a_new_threshold_is_told(daemon, broker):
    with Subscriber(broker) as heard:
        heard.wait_on(ROOT + "kitchen/hiss/on")
        daemon.reload(labels={"Hum": None, "Hiss": {"on": 0.875}})
        wait_until(lambda: heard.on(ROOT + "kitchen/hiss/on")[-1] == "0.875")


def components(heard):
    return json.loads(heard.on(DEVICE.format("kitchen"))[-1])["components"]


def test_a_label_that_goes_ends_its_event_and_leaves_the_broker(daemon, broker):
    with Subscriber(broker) as heard:
        heard.wait_on(ROOT + "kitchen/hum/state")
        daemon.reload(labels={"Hiss": None})
        daemon.wait_for_events(2)
        wait_until(lambda: heard.on(ROOT + "kitchen/hum/state")[-2:] == ["OFF", ""])
        # The messages that take a label away come one by one; its state is not the last.
        wait_until(lambda: "label_hum" not in components(heard))
        assert "label_hiss" in components(heard)
    wait_until(lambda: not [topic for topic in retained(broker) if "/hum/" in topic])


def test_a_group_that_moves_to_another_column_keeps_its_event(folder, broker):
    daemon = Reloadable(folder, broker)
    daemon.change(groups={"first": ["Hiss"], "second": ["Hum"]})
    with daemon:
        daemon.wait_for_events(1, label="second")
        daemon.reload(groups={"second": ["Hum"], "third": ["Hiss"]})
        assert daemon.status()["events"][-1]["label"] == "second"
        assert len(daemon.phases(label="second")) == 1


def test_a_source_that_comes_is_heard_and_the_other_goes_on_without_a_gap(daemon, broker, other):
    daemon.reload(sources={"kitchen": kitchen(daemon), "bath": other})
    daemon.wait_for_events(1, "bath", "Hiss")
    assert len(daemon.phases()) == 1
    sources = daemon.status()["sources"]
    assert sources["kitchen"]["gaps"] == 0
    assert sources["kitchen"]["audio_seconds"] > sources["bath"]["audio_seconds"]
    assert DEVICE.format("bath") in retained(broker)


def test_a_source_that_goes_ends_its_events_and_leaves_the_broker(folder, broker, other):
    daemon = Reloadable(folder, broker)
    sources = {"kitchen": kitchen(daemon), "bath": other}
    daemon.change(sources=sources)
    with Subscriber(broker) as heard, daemon:
        daemon.wait_for_events(1)
        daemon.wait_for_events(1, "bath", "Hiss")
        daemon.reload(sources={"kitchen": sources["kitchen"]})
        daemon.wait_for_events(2, "bath", "Hiss")
        wait_until(lambda: heard.on(ROOT + "bath/status")[-1] == "")
        assert not [t for t in retained(broker) if "/bath/" in t or t == DEVICE.format("bath")]
        assert len(daemon.phases()) == 1
        assert list(daemon.status()["sources"]) == ["kitchen"]


def test_a_source_that_changes_is_opened_anew_alone(folder, broker, other):
    daemon = Reloadable(folder, broker)
    sources = {"kitchen": kitchen(daemon), "bath": other}
    daemon.change(sources=sources)
    with daemon:
        daemon.wait_for_events(1)
        daemon.wait_for_events(1, "bath", "Hiss")
        daemon.reload(sources={"kitchen": sources["kitchen"], "bath": {**other, "gain_db": 1}})
        daemon.wait_for_events(3, "bath", "Hiss")  # start, end, start
        assert len(daemon.phases()) == 1


def test_what_commands_have_set_outlives_a_reload(daemon, broker):
    with Subscriber(broker) as heard:
        heard.wait_on(ROOT + "kitchen/hiss/on")
        broker.publish(ROOT + "kitchen/set/hiss/on", "0.75")
        wait_until(lambda: heard.on(ROOT + "kitchen/hiss/on")[-1] == "0.75")
        daemon.reload(labels={"Hum": None, "Hiss": {"on": 0.875, "off": 0.1}})
        wait_until(lambda: heard.on(ROOT + "kitchen/hiss/off")[-1] == "0.1")
        assert heard.on(ROOT + "kitchen/hiss/on")[-1] == "0.75"


def test_commands_are_followed_after_a_reload_as_before(daemon, broker):
    with Subscriber(broker) as heard:
        daemon.reload(labels={"Hum": None})
        heard.wait_on(ROOT + "kitchen/hum/on")
        broker.publish(ROOT + "kitchen/set/hum/enabled", "OFF")
        daemon.wait_for_events(2)
        wait_until(lambda: heard.on(ROOT + "kitchen/hum/enabled")[-1] == "OFF")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"labels": {"Humm": None}}, "did you mean 'Hum'?"),
        ({"sources": {}}, "sources"),
        ({"hop": 0.25}, "hop: a change of this needs a restart"),
        ({"mqtt": {"host": "broker" * 20}}, "mqtt.host"),
    ],
)
def test_a_configuration_that_cannot_be_followed_is_refused_in_a_line(daemon, change, reason):
    daemon.reload(said=REFUSED, **change)
    (line,) = [line for line in daemon.log.read_text().splitlines() if REFUSED in line]
    assert reason in line
    assert reason in daemon.status()["reload"]["refusal"]
    assert len(daemon.phases()) == 1


def test_a_secret_that_changed_is_followed_or_refused_without_its_value(daemon, broker, folder):
    text = daemon.config.read_text() + "labels: {Hum: {on: !secret loud}, Hiss: ~}\n"

    def reload(secret, said):
        before = daemon.log.read_text().count(said)
        daemon.config.with_name("secrets.yaml").write_text(f"loud: {secret}\n")
        daemon.config.write_text(text)
        daemon.process.send_signal(signal.SIGHUP)
        wait_until(lambda: daemon.log.read_text().count(said) > before)

    with Subscriber(broker) as heard:
        reload("0.625", FINE)
        wait_until(lambda: heard.on(ROOT + "kitchen/hum/on")[-1:] == ["0.625"])
        reload("7.4321", REFUSED)
        assert "got !secret loud" in daemon.status()["reload"]["refusal"]
        assert "7.4321" not in daemon.log.read_text() + str(daemon.status())
        reload("0.5625", FINE)
        wait_until(lambda: heard.on(ROOT + "kitchen/hum/on")[-1] == "0.5625")


def test_a_refused_reload_does_not_keep_the_next_one(daemon):
    daemon.reload(said=REFUSED, labels={"Humm": None})
    daemon.reload(labels={"Hum": None})
    assert daemon.status()["reload"]["refusal"] is None


def test_a_running_event_goes_on_at_another_broker(daemon, folder):
    (folder / "new").mkdir()
    with Mosquitto(folder / "new") as new, Subscriber(new) as heard:
        daemon.reload(mqtt={"host": "127.0.0.1", "port": new.port})
        wait_until(lambda: heard.on(ROOT + "kitchen/hum/state") == ["ON"])
        wait_until(lambda: heard.on(ROOT + "kitchen/availability")[-1:] == ["online"])
        assert DEVICE.format("kitchen") in retained(new)
        assert len(daemon.phases()) == 1


def test_the_broker_that_is_left_is_told(daemon, broker, folder):
    (folder / "new").mkdir()
    with Mosquitto(folder / "new") as new, Subscriber(broker) as left:
        daemon.reload(mqtt={"host": "127.0.0.1", "port": new.port})
        wait_until(lambda: left.on(ROOT + "availability")[-1:] == ["offline"])
        assert left.on(ROOT + "kitchen/hum/state")[-1] == "OFF"


@pytest.mark.slow
def test_no_event_is_lost_on_the_way_to_another_broker(folder):
    sound = np.concatenate([silence(1.5), tone("Hum", 0.5), tone("Hiss", 0.5)] * 40)
    (folder / "new").mkdir()
    old = Mosquitto(folder / "broker")
    daemon = Daemon(folder, old, sound)
    daemon.change(hop=0.1)
    with Mosquitto(folder / "new") as new, Subscriber(new) as heard, daemon:
        wait_until(lambda: daemon.log.read_text().count(": Hum is over") > 1, timeout=30)
        daemon.change(mqtt={"host": "127.0.0.1", "port": new.port})  # the old one never answered
        daemon.process.send_signal(signal.SIGHUP)
        wait_until(lambda: len(heard.on(ROOT + "kitchen/event")) > 12, timeout=30)
        written = [e["message"] for e in daemon.written()]
        wait_until(lambda: set(written) <= {m["message"] for m in events(heard)})
    arrived = list(dict.fromkeys(m["message"] for m in events(heard)))
    assert arrived[: len(written)] == written


def events(heard):
    return [json.loads(payload) for payload in heard.on(ROOT + "kitchen/event")]


def test_another_base_topic_takes_the_place_of_the_first(daemon, broker, state_folder):
    with Subscriber(broker) as heard:
        wait_until(lambda: (state_folder / "published-attic.json").exists())
        daemon.reload(mqtt={**daemon.settings("mqtt"), "base_topic": "sounds"})
        wait_until(lambda: heard.on("sounds/attic/kitchen/hum/state")[-1:] == ["ON"])
        heard.wait_on("sounds/attic/greeted")
    assert {t for t in retained(broker) if t.startswith(ROOT)} == {ROOT + "availability"}


def test_a_password_that_is_mended_in_its_file_lets_us_in(folder):
    password = folder / "password"
    password.write_text("wrong")
    broker = Mosquitto(folder / "broker", password=True)
    daemon = Reloadable(folder, broker, username=USER, password_file=str(password))
    with broker, daemon:
        wait_until(lambda: "refused the user name or password" in daemon.log.read_text())
        password.write_text(PASSWORD)
        daemon.reload()
        wait_until(lambda: daemon.status()["broker"]["connected"])
    assert PASSWORD not in daemon.log.read_text()


def test_a_broker_can_come_and_go(folder, broker):
    daemon = Reloadable(folder, broker)
    mqtt = daemon.settings("mqtt")
    daemon.change(mqtt=None)
    with daemon, Subscriber(broker) as heard:
        daemon.wait_for_events(1)
        daemon.reload(mqtt=mqtt)
        wait_until(lambda: heard.on(ROOT + "kitchen/hum/state")[-1:] == ["ON"])
        daemon.reload(mqtt=None)
        wait_until(lambda: heard.on(ROOT + "availability")[-1:] == ["offline"])
        assert daemon.status()["broker"] is None
        assert len(daemon.phases()) == 1


def test_discovery_is_switched_off_over_the_same_connection(daemon, broker, state_folder):
    with Subscriber(broker) as heard:
        wait_until(lambda: (state_folder / "published-attic.json").exists())
        daemon.reload(mqtt={**daemon.settings("mqtt"), "home_assistant": False})
        wait_until(lambda: heard.on(DEVICE.format("kitchen"))[-1] == "")
        assert heard.on(ROOT + "availability")[-1] == "online"
        assert "offline" not in heard.on(ROOT + "availability")


def test_ten_signals_at_once_do_no_harm(daemon):
    for count in range(10):
        daemon.change(labels={"Hum": None, "Hiss": {"on": 0.5 + count / 100}})
        daemon.process.send_signal(signal.SIGHUP)
    daemon.reload(labels={"Hum": None, "Hiss": {"on": 0.75}})
    assert len(daemon.phases()) == 1
