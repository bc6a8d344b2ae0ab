"""Brokers that do not take everything: real ones that say so, and ones that only refuse."""

import json
import logging

import pytest
from rigs.broker import mosquitto
from rigs.broker.fake_broker import FakeBroker
from rigs.broker.mosquitto import Mosquitto, Subscriber, retained, wait_until
from rigs.broker.sink import AVAILABILITY, DOG, DOG_STATE, EVENTS, SIREN, event, wait_for_events

from ast_edge.home_assistant.announcer import HomeAssistant
from ast_edge.home_assistant.discovery import describe
from ast_edge.mqtt import connection
from ast_edge.mqtt import event_sink as mqtt
from ast_edge.mqtt.broker_access import BrokerAccess
from ast_edge.mqtt.home_assistant_config import HomeAssistantConfig
from ast_edge.mqtt.message import Message
from ast_edge.mqtt.topics import Topics

needs_mosquitto = pytest.mark.skipif(bool(mosquitto.available()), reason=mosquitto.available())
pytestmark = pytest.mark.usefixtures("short_pauses")

TOPICS = Topics("ast-edge", "attic")


class Many:
    """A participant that has more to say than a packet id can tell apart."""

    subscriptions = ()

    def __init__(self, count):
        topics = [f"ast-edge/attic/many/{number}" for number in range(count)]
        self.messages = [Message(topic, "x", retain=True) for topic in topics]

    def greet(self):
        return self.messages

    def received(self, topic, payload, *, retained):
        return []


@pytest.fixture
def home_assistant(tmp_path):
    """Return a function that makes the participant."""

    def home_assistant(takes):
        config, labels = HomeAssistantConfig(), [DOG, SIREN]
        devices = describe(config, TOPICS, {"mic": labels}, models={"mic": "home"}, commands=True)
        return HomeAssistant(config, TOPICS, devices, [], tmp_path / "record.json", takes=takes)

    return home_assistant


def test_a_greeting_that_uses_up_the_packet_ids_is_told_and_holds_no_event_up(
    open_sink, monkeypatch
):
    make = BrokerAccess.client

    def client(*args):
        made = make(*args)
        made._last_mid = 65_000  # as after that many messages, for want of time
        return made

    monkeypatch.setattr(BrokerAccess, "client", client)
    with FakeBroker(lull=0.0) as fake:
        many = Many(2_000)
        sink = open_sink(fake, participants=[many])
        sink.publish(event("start"))
        wanted = {message.topic for message in many.messages}
        wait_until(lambda: len(fake.published) > 2_000 and wanted <= set(fake.topics()), 60.0)
        wait_until(lambda: sink.acknowledged == 1)
        assert fake.topics().index(EVENTS) < 100
        assert (fake.connections, fake.endings) == (1, [])
        assert fake.most <= 20


def test_no_more_are_sent_at_once_than_the_broker_has_stated(open_sink):
    with FakeBroker(properties=b"\x21\x00\x0a", receive_maximum=10) as fake:
        sink = open_sink(fake, participants=[Many(100)])
        for number in range(100):
            sink.publish(event("update", number))
        wait_until(lambda: sink.acknowledged == 100)
        assert (fake.most, fake.connections) == (10, 1)


def test_a_broker_that_only_refuses_too_many_at_once_gets_fewer(open_sink):
    with FakeBroker(receive_maximum=3) as fake:
        sink = open_sink(fake, participants=[Many(30)])
        sink.publish(event("start"))
        wait_until(lambda: sink.acknowledged == 1 and len(set(fake.topics())) == 34)
        assert set(fake.endings) == {0x93}


def test_a_state_that_changes_while_it_waits_is_told_as_it_is(open_sink):
    with FakeBroker(properties=b"\x21\x00\x01", receive_maximum=1) as fake:
        sink = open_sink(fake, participants=[Many(10)])
        for phase in ("start", "end") * 50:
            sink.publish(event(phase))
        wait_until(lambda: sink.acknowledged == 100)
        wait_until(lambda: not sink._waiting)
        states = [m.payload for m in fake.published if m.topic == DOG_STATE]
    assert states[-1] == b"OFF"
    assert len(states) < 100


@needs_mosquitto
def test_a_device_that_is_too_large_is_described_entity_by_entity(
    tmp_path, open_sink, home_assistant
):
    with Mosquitto(tmp_path, options=["max_packet_size 2500"]) as broker:
        sink = open_sink(broker)
        assert sink.wait_connected(10.0)
        sink.follow([("mic", DOG)], lambda: [home_assistant(sink.takes)])
        sink.publish(event("start"))
        wait_until(lambda: sink.acknowledged == 1)
        topic = "homeassistant/binary_sensor/ast-edge-attic-mic/label_dog/config"
        wait_until(lambda: topic in retained(broker))
        found = retained(broker)
    assert json.loads(found[topic])["state_topic"] == DOG_STATE
    assert not [topic for topic in found if topic.startswith("homeassistant/device/")]
    assert sink.reconnects == 0


@needs_mosquitto
def test_what_is_too_large_is_left_out_and_said_once(tmp_path, open_sink, caplog):
    large = Many(1)
    large.messages = [Message("ast-edge/attic/large", "x" * 1000, retain=True)]
    with Mosquitto(tmp_path, options=["max_packet_size 900"]) as broker:
        sink = open_sink(broker, participants=[large])
        for number in range(3):
            sink.publish(event("update", number))
        wait_until(lambda: sink.acknowledged == 3)
        broker.restart()
        wait_until(lambda: sink.reconnects == 1)
        sink.publish(event("update", 3))
        wait_until(lambda: sink.acknowledged == 4)
    (line,) = [line for line in caplog.messages if "is left out" in line]
    assert "takes no packets of more than 900 bytes: ast-edge/attic/large (1000 bytes)" in line


@needs_mosquitto
def test_an_event_that_is_too_large_is_counted_and_the_next_one_sent(tmp_path, open_sink):
    with Mosquitto(tmp_path, options=["max_packet_size 250"]) as broker:
        sink = open_sink(broker)
        sink.publish(event("start"))
        wait_until(lambda: sink.dropped == 1)
        assert (sink.waiting, sink.reconnects) == (0, 0)


@needs_mosquitto
@pytest.mark.slow
def test_a_broker_without_words_that_takes_no_large_packets_gets_the_others(
    tmp_path, open_sink, caplog
):
    large = Many(20)
    large.messages.insert(10, Message("ast-edge/attic/large", "x" * 3000, retain=True))
    with Mosquitto(tmp_path, options=["max_packet_size 2000"]) as broker:
        sink = open_sink(broker, protocol="3.1.1", participants=[large])
        sink.publish(event("start"))
        wait_until(lambda: "ast-edge/attic/many/19" in retained(broker), 60.0)
        wait_until(lambda: sink.acknowledged == 1)
    assert "hangs up whenever it gets ast-edge/attic/large (3000 bytes)" in caplog.text
    assert "second machine" not in caplog.text


@needs_mosquitto
def test_a_broker_that_keeps_nothing_is_told_again_and_again(
    tmp_path, open_sink, caplog, monkeypatch
):
    monkeypatch.setattr(mqtt, "TELL_SECONDS", 0.2)
    with Mosquitto(tmp_path, options=["retain_available false"]) as broker:
        sink = open_sink(broker)
        sink.publish(event("start"))
        wait_until(lambda: sink.acknowledged == 1, 20.0)
        with LateJoiner(broker) as subscriber:
            subscriber.wait_on(DOG_STATE, 2)
            assert subscriber.on(DOG_STATE)[0] == "ON"
            assert "online" in subscriber.wait_on(AVAILABILITY)
    assert sum("keeps no retained messages" in line for line in caplog.messages) == 1


@needs_mosquitto
def test_a_broker_of_qos_0_gets_every_event(tmp_path, open_sink, caplog):
    with Mosquitto(tmp_path, options=["max_qos 0"]) as broker, Subscriber(broker) as subscriber:
        sink = open_sink(broker)
        for number in range(50):
            sink.publish(event("update", number))
        wait_for_events(subscriber, *((f"e{n}", "update") for n in range(50)))
        wait_until(lambda: sink.acknowledged == 50)
        assert sink.waiting == 0
    assert sum("takes messages of QoS 0 only" in line for line in caplog.messages) == 1


@pytest.mark.parametrize(
    ("code", "seen"),
    [(0x9A, lambda will: not will.retain and will.qos == 1), (0x9B, lambda will: will.qos == 0)],
    ids=["retain", "qos"],
)
def test_a_will_that_is_refused_is_left_otherwise(open_sink, code, seen):
    with FakeBroker(greet=lambda will: 0 if seen(will) else code) as fake:
        sink = open_sink(fake)
        sink.publish(event("start"))
        wait_until(lambda: sink.acknowledged == 1)
        assert len(fake.wills) == 2


def test_the_keep_alive_of_the_broker_is_ours(open_sink):
    with FakeBroker(properties=b"\x13\x00\x01") as fake:
        open_sink(fake)
        wait_until(lambda: fake.pings >= 2)


def test_a_broker_without_sessions_and_aliases_is_served(open_sink):
    # Session Expiry Interval 0, Topic Alias Maximum 0, no wildcards, no identifiers, not shared.
    properties = b"\x11\0\0\0\0\x22\0\0\x28\0\x29\0\x2a\0"
    with FakeBroker(properties=properties) as fake:
        sink = open_sink(fake)
        sink.publish(event("start"))
        wait_until(lambda: sink.acknowledged == 1)
        assert fake.connections == 1


def test_a_broker_that_pings_but_never_acknowledges_is_left(open_sink, monkeypatch, caplog):
    monkeypatch.setattr(connection, "ANSWER_SECONDS", 0.4)
    with FakeBroker(acknowledges=False) as fake:
        sink = open_sink(fake)
        sink.publish(event("start"))
        wait_until(lambda: fake.connections == 2)
        fake.acknowledges = True
        wait_until(lambda: sink.acknowledged == 1)
        wait_until(lambda: not sink._packets)
        connections = fake.connections
        sink.publish(event("end"))  # it is not left for a silence in which nothing was to be said
        wait_until(lambda: sink.acknowledged == 2)
        assert fake.connections == connections
    assert "has not acknowledged anything" in caplog.text


class LateJoiner(Subscriber):
    """A subscriber of a broker that keeps nothing, the sign that one is subscribed included."""

    def __init__(self, broker):
        super().__init__(broker, session="")
        self._entered = False

    def __enter__(self):
        super().__enter__()
        self._entered = True
        return self

    def wait_for(self, condition):
        if self._entered:
            super().wait_for(condition)


def test_reasons_are_logged_as_advice_once(open_sink, caplog):
    caplog.set_level(logging.WARNING)
    reasons = iter([0x97, 0x97, 0x97])
    with FakeBroker(judge=lambda message: next(reasons, None)) as fake:
        sink = open_sink(fake)
        sink.publish(event("start"))
        wait_until(lambda: sink.acknowledged == 1)
        assert fake.endings == [0x97] * 3
        said = caplog.text  # before this broker ends, too
    assert "Quota exceeded; a quota of this user is used up" in said
    assert "second machine" not in said
