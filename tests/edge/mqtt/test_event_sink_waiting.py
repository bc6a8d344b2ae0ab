"""Events that wait for a broker: absent, restarted, frozen or forgetful."""

import json
import socket

import pytest
from rigs.broker import mosquitto
from rigs.broker.mosquitto import Mosquitto, Subscriber, retained, wait_until
from rigs.broker.sink import (
    AVAILABILITY,
    DOG_STATE,
    EVENTS,
    SIREN_STATE,
    event,
    wait_for_events,
)

from ast_edge.base.errors import ConfigError
from ast_edge.mqtt.config import MqttConfig
from ast_edge.mqtt.event_sink import MqttSink
from ast_edge.mqtt.limits import WINDOW
from ast_edge.mqtt.outbox import Outbox

pytestmark = [
    pytest.mark.skipif(bool(mosquitto.available()), reason=mosquitto.available()),
    pytest.mark.usefixtures("short_pauses"),
]


def box_in_memory(now):
    """Return an outbox whose time is what the list holds."""
    clock = {"wall": lambda: now[0], "steady": lambda: now[0]}
    return Outbox(None, max_age=3600, max_events=1000, **clock)


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
        wait_until(lambda: bool(subscriber.on(DOG_STATE)))
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
        wait_until(lambda: subscriber.on(DOG_STATE)[-1:] == ["ON"])
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
        wait_until(lambda: retained(broker).get(DOG_STATE) == "OFF")
        assert "ON" not in subscriber.on(DOG_STATE)


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


@pytest.mark.parametrize("host", ["a..b", "x" * 64])
def test_a_sink_that_cannot_be_made_leaves_the_outbox_to_others(host, tmp_path):
    box = Outbox(tmp_path / "outbox", max_age=3600, max_events=1000)
    with pytest.raises(ConfigError, match="expected a host name"):
        MqttSink(MqttConfig(host=host), "attic", box)
    assert len(box) == 0
    box.close()


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
        assert len(sink._packets) == WINDOW
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
