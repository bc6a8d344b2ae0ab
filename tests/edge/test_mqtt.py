import json
import logging
import os
import signal
import socket
import subprocess
import sys

import pytest
from rigs import mosquitto
from rigs.mosquitto import Mosquitto, Subscriber, retained, wait_until

from ast_edge import connection, mqtt
from ast_edge.config import HomeAssistantConfig, MqttConfig, TlsConfig
from ast_edge.errors import ConfigError
from ast_edge.events import Event, Label
from ast_edge.home_assistant import HomeAssistant
from ast_edge.mqtt import WINDOW, MqttSink
from ast_edge.outbox import Outbox
from ast_edge.status import NodeStatus
from ast_edge.topics import Topics

pytestmark = pytest.mark.skipif(bool(mosquitto.available()), reason=mosquitto.available())

DOG = Label(0, "Dog", "/m/0bt9lr")
SIREN = Label(1, "Siren", "/m/03kmc9")
AVAILABILITY = "ast-edge/attic/availability"
EVENTS = "ast-edge/attic/mic/event"
DOG_STATE = "ast-edge/attic/mic/dog/state"
SIREN_STATE = "ast-edge/attic/mic/siren/state"


def event(phase, number=0, label=DOG):
    return Event(f"e{number}", phase, "mic", label, 1700000000.0, 1700000002.0, 0.8, 0.9)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(connection, "retry_pause", lambda failures: 0.1)


@pytest.fixture(params=["5", "3.1.1"])
def protocol(request):
    return request.param


@pytest.fixture
def open_sink():
    """Return a function that makes a sink for a broker; sinks left open are closed."""
    sinks = []

    def open_sink(broker, box=None, extensions=(), **options):
        config = MqttConfig(**{"host": "127.0.0.1", "port": broker.port} | options)
        entities = [("mic", DOG), ("mic", SIREN)]
        sinks.append(MqttSink(config, "attic", "home", entities, box, extensions))
        return sinks[-1]

    yield open_sink
    for sink in sinks:
        sink.close()


def box_in_memory(now):
    """Return an outbox whose time is what the list holds."""
    clock = {"wall": lambda: now[0], "steady": lambda: now[0]}
    return Outbox(None, max_age=3600, max_events=1000, **clock)


@pytest.fixture
def broker(tmp_path):
    with Mosquitto(tmp_path) as broker:
        yield broker


@pytest.fixture
def memory(tmp_path):
    """A broker that keeps sessions over a restart, so that a subscriber misses nothing."""
    with Mosquitto(tmp_path, persistent=True) as broker:
        yield broker


def events(subscriber):
    """Return what has arrived as (id, phase), without the repetitions that QoS 1 allows."""
    payloads = map(json.loads, subscriber.on(EVENTS))
    return list(dict.fromkeys((p["id"], p["type"]) for p in payloads))


def wait_for_events(subscriber, *expected):
    """Wait until all have arrived, and check that nothing else has and that they are in order."""
    subscriber.wait_for(lambda: set(events(subscriber)) >= set(expected))
    assert events(subscriber) == list(expected)


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
from ast_edge.config import MqttConfig
from ast_edge.mqtt import MqttSink
config = MqttConfig(host="127.0.0.1", port={broker.port}, protocol="{protocol}")
sink = MqttSink(config, "attic", "home", [])
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


def test_events_wait_for_a_broker_that_is_not_there_yet(memory, open_sink, protocol):
    with Subscriber(memory) as subscriber:
        memory.stop()
        sink = open_sink(memory, protocol=protocol)
        for number in range(50):
            sink.publish(event("start", number))
            sink.publish(event("end", number))
        wait_until(lambda: sink.published == 100)
        assert not sink.connected
        memory.start()
        expected = [(f"e{n}", phase) for n in range(50) for phase in ("start", "end")]
        wait_for_events(subscriber, *expected)
        assert set(subscriber.on(DOG_STATE)) == {"OFF"}


def test_no_event_is_lost_over_a_restart_of_the_broker(memory, open_sink, protocol):
    with Subscriber(memory) as subscriber:
        sink = open_sink(memory, protocol=protocol)
        assert sink.wait_connected(10.0)
        sink.publish(event("start", 1))
        wait_for_events(subscriber, ("e1", "start"))
        memory.stop()
        wait_until(lambda: not sink.connected)
        sink.publish(event("end", 1))
        sink.publish(event("start", 2))
        memory.start()
        wait_for_events(subscriber, ("e1", "start"), ("e1", "end"), ("e2", "start"))
        assert subscriber.on(DOG_STATE)[-1] == "ON"
    assert sink.reconnects == 1


def test_states_return_after_a_restart_that_forgot_them(broker, open_sink, protocol):
    sink = open_sink(broker, protocol=protocol)
    sink.publish(event("start"))
    wait_until(lambda: sink.acknowledged == 1)
    broker.restart()
    wait_until(lambda: sink.reconnects == 1)
    sink.publish(event("update"))
    wait_until(lambda: sink.acknowledged == 2)
    assert retained(broker) == {AVAILABILITY: "online", DOG_STATE: "ON", SIREN_STATE: "OFF"}


def test_a_state_that_was_never_acknowledged_is_not_sent_late(broker, open_sink, protocol):
    sink = open_sink(broker, protocol=protocol)
    assert sink.wait_connected(10.0)
    broker.freeze()
    sink.publish(event("start"))  # on its way when the broker dies
    wait_until(lambda: sink.published == 1)
    broker.kill()
    wait_until(lambda: not sink.connected)
    sink.publish(event("end"))
    broker.start()
    with Subscriber(broker) as subscriber:
        wait_until(lambda: sink.acknowledged == 2)
        assert "ON" not in subscriber.on(DOG_STATE)
        assert retained(broker)[DOG_STATE] == "OFF"


def test_an_event_that_was_never_acknowledged_is_sent_again(memory, open_sink, protocol):
    with Subscriber(memory) as subscriber:
        sink = open_sink(memory, protocol=protocol)
        sink.publish(event("start", 1))
        wait_until(lambda: sink.acknowledged == 1)
        memory.stop()
        memory.start()  # the subscriber's session is on disk now
        wait_until(lambda: sink.reconnects == 1)
        memory.freeze()
        sink.publish(event("end", 1))
        wait_until(lambda: sink.published == 2)
        memory.kill()
        memory.start()
        wait_for_events(subscriber, ("e1", "start"), ("e1", "end"))
        wait_until(lambda: sink.acknowledged == 2)


def test_waiting_events_are_bounded_and_the_oldest_go_first(memory, open_sink):
    with Subscriber(memory) as subscriber:
        memory.stop()
        sink = open_sink(memory, outbox={"max_events": 100})
        for number in range(110):
            sink.publish(event("update", number))
        wait_until(lambda: sink.published == 110)
        assert sink.dropped == 10
        memory.start()
        wait_for_events(subscriber, *((f"e{10 + n}", "update") for n in range(100)))
        wait_until(lambda: sink.acknowledged == 100)


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
    status = NodeStatus(Topics("ast-edge", "attic"), ["mic"], "home", since=0.0)
    status.subscriptions = ("ast-edge/attic/+/set/#",)
    with Mosquitto(tmp_path, deaf="refused") as broker:
        sink = open_sink(broker, protocol=protocol, extensions=[status])
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
        sink = open_sink(broker, extensions=[home_assistant])
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


def test_closing_without_a_broker_returns_and_says_what_is_lost(tmp_path, open_sink, caplog):
    sink = open_sink(Mosquitto(tmp_path))
    sink.publish(event("start"))
    sink.publish(event("end"))
    sink.close()
    assert "2 events were not delivered" in caplog.text


def test_events_wait_for_the_next_run_in_an_outbox_with_a_file(memory, open_sink, tmp_path):
    def box():
        return Outbox(tmp_path / "outbox", max_age=3600, max_events=1000)

    with Subscriber(memory) as subscriber:
        memory.stop()
        sink = open_sink(memory, box())
        sink.publish(event("start"))
        sink.publish(event("end"))
        sink.close()
        memory.start()
        open_sink(memory, box())
        wait_for_events(subscriber, ("e0", "start"), ("e0", "end"))


def test_a_sink_that_cannot_be_made_lets_go_of_the_outbox(tmp_path):
    for host in ("a..b", "x" * 64):
        box = Outbox(tmp_path / "outbox", max_age=3600, max_events=1000)
        with pytest.raises(ConfigError, match="expected a host name"):
            MqttSink(MqttConfig(host=host), "attic", "home", [], box)


def test_an_event_that_had_to_wait_is_marked_late(memory, open_sink):
    now = [1000.0]
    box = box_in_memory(now)
    with Subscriber(memory) as subscriber:
        memory.stop()
        sink = open_sink(memory, box)
        sink.publish(event("start", 1))
        now[0] += 60
        sink.publish(event("start", 2))
        memory.start()
        payloads = map(json.loads, subscriber.wait_on(EVENTS, 2))
        assert [(p["id"], p["late"]) for p in payloads] == [("e1", True), ("e2", False)]


def test_an_event_that_waited_too_long_is_not_sent(memory, open_sink):
    now = [1000.0]
    box = box_in_memory(now)
    with Subscriber(memory) as subscriber:
        memory.stop()
        sink = open_sink(memory, box)
        sink.publish(event("start", 1))
        now[0] += 4000
        sink.publish(event("start", 2))
        memory.start()
        wait_for_events(subscriber, ("e2", "start"))
    assert sink.dropped == 1


def test_a_message_that_is_sent_again_has_the_same_id(memory, open_sink):
    with Subscriber(memory) as subscriber:
        sink = open_sink(memory)
        sink.publish(event("start"))
        subscriber.wait_on(EVENTS)
        memory.freeze()
        sink.publish(event("end"))
        wait_until(lambda: sink.published == 2)
        memory.thaw()
        memory.restart()
        wait_until(lambda: sink.acknowledged == 2)
        subscriber.wait_for(lambda: '"end"' in "".join(subscriber.on(EVENTS)))
        ids = {(p["type"], p["message"]) for p in map(json.loads, subscriber.on(EVENTS))}
    assert len(ids) == 2


def test_a_frozen_broker_gets_no_flood_and_then_every_event_in_order(broker, open_sink):
    with Subscriber(broker) as subscriber:
        sink = open_sink(broker)
        assert sink.wait_connected(10.0)
        broker.freeze()
        for number in range(200):
            sink.publish(event("update", number))
        wait_until(lambda: sink.published == 200)
        assert sum(number is not None for _, number in sink._packets.values()) == WINDOW
        broker.thaw()
        wait_for_events(subscriber, *((f"e{n}", "update") for n in range(200)))
        wait_until(lambda: sink.acknowledged == 200)


@pytest.mark.slow
def test_a_broker_that_stays_frozen_is_left_and_found_again(memory, open_sink, protocol):
    with Subscriber(memory) as subscriber:
        sink = open_sink(memory, keepalive=5, protocol=protocol)
        sink.publish(event("start", 1))
        wait_for_events(subscriber, ("e1", "start"))
        memory.freeze()
        wait_until(lambda: not sink.connected, 30.0)
        sink.publish(event("end", 1))
        memory.thaw()
        wait_until(lambda: sink.acknowledged == 2, 30.0)
        wait_for_events(subscriber, ("e1", "start"), ("e1", "end"))
    assert retained(memory)[AVAILABILITY] == "online"


def test_a_short_interruption_is_not_seen_in_mqtt_5(broker, open_sink):
    with Subscriber(broker) as subscriber:
        sink = open_sink(broker)
        subscriber.wait_on(AVAILABILITY)
        sink._connection._client.socket().shutdown(socket.SHUT_RDWR)
        wait_until(lambda: sink.reconnects == 1)
        assert subscriber.wait_on(AVAILABILITY, 2) == ["online", "online"]


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


def test_what_waits_is_handed_over_and_not_sent_any_more(broker, open_sink, tmp_path):
    (tmp_path / "other").mkdir()
    box = Outbox(None, max_age=3600, max_events=1000)
    first = open_sink(broker, box)
    assert first.wait_connected(10.0)
    broker.freeze()
    for number in range(WINDOW + 5):
        first.publish(event("start", number))
    first.hand_over()
    broker.thaw()
    with Mosquitto(tmp_path / "other") as other, Subscriber(other) as subscriber:
        second = open_sink(other, box)
        subscriber.wait_on(EVENTS, WINDOW + 5)
        wait_until(lambda: second.waiting == 0)
