import json
import logging
import os
import signal
import subprocess
import sys

import pytest
from rigs.broker import mosquitto
from rigs.broker.mosquitto import Mosquitto, Subscriber, retained, wait_until
from rigs.broker.sink import (
    AVAILABILITY,
    DOG,
    DOG_STATE,
    EVENTS,
    SIREN,
    SIREN_STATE,
    event,
    wait_for_events,
)

from ast_edge.home_assistant.announcer import HomeAssistant
from ast_edge.mqtt import event_sink as mqtt
from ast_edge.mqtt.config import TlsConfig
from ast_edge.mqtt.home_assistant_config import HomeAssistantConfig
from ast_edge.mqtt.message import Message
from ast_edge.mqtt.source_status import NodeStatus
from ast_edge.mqtt.topics import Topics

pytestmark = [
    pytest.mark.skipif(bool(mosquitto.available()), reason=mosquitto.available()),
    pytest.mark.usefixtures("short_pauses"),
]


def test_an_event_arrives_as_json_and_is_not_retained(broker, open_sink, protocol):
    with Subscriber(broker) as subscriber:
        sink = open_sink(broker, protocol=protocol)
        sink.publish(event("start"))
        sink.publish(event("end"))
        start, end = (json.loads(p) for p in subscriber.wait_on(EVENTS, 2))
    assert (start["type"], end["type"]) == ("start", "end")
    assert (end["node"], end["bundle"], end["label"]) == ("attic", "home", "Dog")
    assert EVENTS not in retained(broker)


def test_a_state_is_on_while_the_event_lasts(broker, open_sink, protocol):
    with Subscriber(broker) as subscriber:
        sink = open_sink(broker, protocol=protocol)
        assert sink.wait_connected(10.0)
        for phase in ("start", "update", "end"):
            sink.publish(event(phase))
        assert subscriber.wait_on(DOG_STATE, 3) == ["OFF", "ON", "OFF"]


def test_a_late_joiner_sees_the_present(broker, open_sink, protocol):
    sink = open_sink(broker, protocol=protocol)
    assert sink.wait_connected(10.0)
    sink.publish(event("start"))
    wait_until(lambda: sink.acknowledged == 1)
    assert retained(broker) == {AVAILABILITY: "online", DOG_STATE: "ON", SIREN_STATE: "OFF"}


def test_a_clean_close_says_off_and_offline(broker, open_sink, protocol):
    sink = open_sink(broker, protocol=protocol)
    assert sink.wait_connected(10.0)
    sink.publish(event("start"))
    sink.close()
    assert not sink.connected
    assert retained(broker) == {AVAILABILITY: "offline", DOG_STATE: "OFF", SIREN_STATE: "OFF"}


def test_closing_at_once_still_delivers(broker, open_sink, protocol):
    with Subscriber(broker) as subscriber:
        sink = open_sink(broker, protocol=protocol)
        sink.publish(event("start"))
        sink.publish(event("end"))
        sink.close()
        wait_for_events(subscriber, ("e0", "start"), ("e0", "end"))
        assert subscriber.wait_on(AVAILABILITY, 2) == ["online", "offline"]
    assert sink.acknowledged == 2


@pytest.mark.slow
def test_killing_the_process_leaves_offline_behind(broker, protocol):
    program = f"""
import time
from ast_edge.mqtt.config import MqttConfig
from ast_edge.mqtt.event_sink import MqttSink
from ast_edge.mqtt.outbox import Outbox
config = MqttConfig(host="127.0.0.1", port={broker.port}, protocol="{protocol}")
MqttSink(config, "attic", Outbox(None, max_age=60, max_events=10)).start()
time.sleep(60)
"""
    with Subscriber(broker) as subscriber:
        process = subprocess.Popen([sys.executable, "-c", program])
        try:
            subscriber.wait_on(AVAILABILITY)
        finally:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        assert subscriber.wait_on(AVAILABILITY, 2) == ["online", "offline"]
    assert retained(broker)[AVAILABILITY] == "offline"


def test_the_broker_drops_an_event_when_it_is_too_old_for_us(broker, open_sink):
    command = ["mosquitto_sub", *broker.client_options(), "-V", "mqttv5", "-t", EVENTS]
    with Subscriber(broker) as subscriber:
        expiry = subprocess.Popen([*command, "-C", "1", "-F", "%E"], stdout=subprocess.PIPE)
        wait_until(lambda: broker.log().count("Received SUBSCRIBE") == 2)
        sink = open_sink(broker, protocol="5", outbox={"max_age": 600})
        sink.publish(event("start"))
        subscriber.wait_on(EVENTS)
        out, _ = expiry.communicate(timeout=10.0)
    assert 500 <= int(out) <= 600


def test_a_broker_that_forbids_publishing_is_said_once(tmp_path, open_sink, caplog):
    (tmp_path / "password").write_text(mosquitto.PASSWORD)
    login = {"username": mosquitto.USER, "password_file": tmp_path / "password"}
    with Mosquitto(tmp_path, password=True) as broker:
        sink = open_sink(broker, base_topic="forbidden/x", **login)
        for number in range(3):
            sink.publish(event("update", number))
        wait_until(lambda: sink.dropped == 3)
        sink.close()
    assert sink.acknowledged == 0
    (line,) = [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR]
    assert "Not authorized; allow this user to write to forbidden/x/attic/#" in line


@pytest.mark.skipif(not mosquitto.dynamic_security(), reason="no plug-in for rights")
def test_a_broker_that_forbids_subscribing_is_said_once_and_gets_the_events(
    tmp_path, open_sink, caplog, protocol
):
    status = NodeStatus(Topics("ast-edge", "attic"), ["mic"], since=0.0)
    status.subscriptions = ("ast-edge/attic/+/set/#",)
    with Mosquitto(tmp_path, deaf="refused") as broker:
        sink = open_sink(broker, protocol=protocol, participants=[status])
        sink.publish(event("start"))
        wait_until(lambda: sink.acknowledged == 1)
        broker.restart()
        sink.publish(event("end"))
        wait_until(lambda: sink.acknowledged == 2)
    (line,) = [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR]
    assert "does not let us subscribe to ast-edge/attic/+/set/#: " in line
    assert "allow this user to read ast-edge/attic/+/set/#" in line


@pytest.mark.skipif(not mosquitto.dynamic_security(), reason="no plug-in for rights")
@pytest.mark.parametrize("deaf", ["", "silent"])
def test_rights_that_let_nothing_be_heard_are_said_once(
    tmp_path, open_sink, caplog, monkeypatch, deaf
):
    monkeypatch.setattr(mqtt, "HEARING_TIMEOUT", 0.5)
    topics = Topics("ast-edge", "attic")
    record = tmp_path / "record.json"
    home_assistant = HomeAssistant(HomeAssistantConfig(), topics, [], [], record)
    with Mosquitto(tmp_path, deaf=deaf) as broker:
        sink = open_sink(broker, participants=[home_assistant])
        checks = []
        monkeypatch.setattr(sink, "_check_hearing", _counted(sink._check_hearing, checks))
        assert sink.wait_connected(10.0)
        wait_until(lambda: checks)
        broker.restart()
        wait_until(lambda: len(checks) == 2)
    lines = [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR]
    assert len(lines) == (1 if deaf else 0)
    assert all("allow this user to read ast-edge/attic/#" in line for line in lines)


def _counted(function, calls):
    return lambda: (function(), calls.append(1))


def test_events_arrive_at_a_broker_that_wants_a_client_certificate(tmp_path, open_sink, protocol):
    with Mosquitto(tmp_path, certificates=True) as broker, Subscriber(broker) as subscriber:
        tls = TlsConfig(ca=broker.ca, certificate=broker.certificate, key=broker.key)
        sink = open_sink(broker, host="localhost", tls=tls, protocol=protocol)
        sink.publish(event("start"))
        subscriber.wait_on(EVENTS)
        sink.close()
    assert sink.acknowledged == 1


def test_only_one_attempt_is_under_way_at_a_time(broker, open_sink):
    sink = open_sink(broker)
    assert sink.wait_connected(10.0)
    for count in range(1, 6):
        broker.restart()
        wait_until(lambda count=count: sink.reconnects >= count)
    assert broker.log().count("as ast-edge-attic") == 1 + sink.reconnects


def test_entities_that_stay_keep_their_states_when_others_are_followed(broker, open_sink):
    sink = open_sink(broker)
    sink.publish(event("start"))
    wait_until(lambda: retained(broker).get(DOG_STATE) == "ON")
    sink.follow([("mic", DOG), ("hall", SIREN)], lambda: [])
    wait_until(lambda: retained(broker).get("ast-edge/attic/hall/siren/state") == "OFF")
    assert retained(broker)[DOG_STATE] == "ON"


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_events_go_and_commands_come_over_websockets(tmp_path, open_sink, protocol, tls):
    heard = []
    listener = NodeStatus(Topics("ast-edge", "attic"), ["mic"], since=0.0)
    listener.subscriptions = ("ast-edge/attic/+/set/#",)
    listener.received = lambda topic, payload, retained: heard.append((topic, payload)) or []
    with (
        Mosquitto(tmp_path, tls=tls, websockets=True) as broker,
        Subscriber(broker) as subscriber,
    ):
        sink = open_sink(
            broker,
            host="localhost" if tls else "127.0.0.1",
            port=broker.websockets_port,
            transport="websockets",
            protocol=protocol,
            tls=TlsConfig(ca=broker.ca) if tls else None,
            participants=[listener],
        )
        for number in range(100):
            sink.publish(event("update", number))
        large = Message("ast-edge/attic/large", "ü" * 100_000, retain=True)
        wait_until(lambda: sink.acknowledged == 100)
        sink.publish_messages(lambda: [large])
        assert subscriber.wait_on(large.topic) == [large.payload]
        wait_for_events(subscriber, *((f"e{n}", "update") for n in range(100)))
        broker.publish("ast-edge/attic/mic/set/enabled", "OFF")
        wait_until(lambda: heard)
        assert heard == [("ast-edge/attic/mic/set/enabled", b"OFF")]
        broker.restart()
        wait_until(lambda: sink.reconnects == 1)
        sink.publish(event("end", 1))
        wait_until(lambda: sink.acknowledged == 101)
        assert sink.reconnects == 1
