"""What other parts say and hear over the connection of MqttSink."""

import pytest
from rigs.broker import mosquitto
from rigs.broker.mosquitto import Subscriber, retained, wait_until
from rigs.broker.sink import started

from ast_edge.mqtt.config import MqttConfig
from ast_edge.mqtt.message import Message

pytestmark = [
    pytest.mark.skipif(bool(mosquitto.available()), reason=mosquitto.available()),
    pytest.mark.usefixtures("short_pauses"),
]


class Repeater:
    """A participant that says so when it greets, and whatever it hears."""

    subscriptions = ("ast-edge/attic/+/set/#", "elsewhere/status")

    def greet(self):
        return [Message("ast-edge/attic/extra", "here", retain=True)]

    def received(self, topic, payload, *, retained):
        if retained:
            return [Message("ast-edge/attic/heard", f"{topic} retained")]
        text = payload.decode()
        return [
            Message("ast-edge/attic/heard", f"{topic} {text} later", delay=0.2),
            Message("ast-edge/attic/heard", f"{topic} {text} later still", delay=0.2),
            Message("ast-edge/attic/heard", f"{topic} {text}"),
        ]


@pytest.fixture
def open_sink(broker):
    """Return a function that makes a sink with a Repeater; sinks left open are closed."""
    sinks = []

    def open_sink(**options):
        config = MqttConfig(host="127.0.0.1", port=broker.port, **options)
        sinks.append(started(config, participants=[Repeater()]))
        return sinks[-1]

    yield open_sink
    for sink in sinks:
        sink.close()


def test_an_extension_greets_on_every_connection(broker, open_sink, protocol):
    sink = open_sink(protocol=protocol)
    wait_until(lambda: retained(broker).get("ast-edge/attic/extra") == "here")
    broker.restart()  # forgets what was retained
    wait_until(lambda: sink.reconnects == 1)
    wait_until(lambda: retained(broker).get("ast-edge/attic/extra") == "here")


@pytest.mark.parametrize("topic", ["ast-edge/attic/mic/set/on", "elsewhere/status"])
def test_an_extension_hears_and_answers_at_once_and_later(broker, open_sink, topic, protocol):
    open_sink(protocol=protocol)
    with Subscriber(broker) as subscriber:
        subscriber.wait_on("ast-edge/attic/extra")
        broker.publish("ast-edge/attic/mic/other", "x")
        broker.publish(topic, "0.5")
        answers = subscriber.wait_on("ast-edge/attic/heard", 3)
    assert answers == [f"{topic} 0.5", f"{topic} 0.5 later", f"{topic} 0.5 later still"]


def test_an_extension_knows_what_was_retained(broker, open_sink, protocol):
    broker.publish("elsewhere/status", "old", "-r")
    with Subscriber(broker) as subscriber:
        open_sink(protocol=protocol)
        assert subscriber.wait_on("ast-edge/attic/heard") == ["elsewhere/status retained"]


def test_other_messages_go_with_the_quality_they_ask_for(broker, open_sink):
    with Subscriber(broker) as subscriber:
        sink = open_sink()
        assert sink.wait_connected(10.0)
        sink.publish_messages(lambda: [Message("ast-edge/attic/mic/level", "{}", qos=0)])
        sink.publish_messages(lambda: [Message("ast-edge/attic/mic/status", "{}", retain=True)])
        subscriber.wait_on("ast-edge/attic/mic/status")
        qos = {m["topic"]: m["qos"] for m in subscriber.messages}
    assert qos["ast-edge/attic/mic/level"] == 0
    assert qos["ast-edge/attic/mic/status"] == 1


def test_without_a_connection_other_messages_are_forgotten(broker, open_sink):
    broker.stop()
    sink = open_sink()
    sink.publish_messages(lambda: [Message("ast-edge/attic/mic/status", "old")])
    broker.start()
    with Subscriber(broker) as subscriber:
        assert sink.wait_connected(10.0)
        sink.publish_messages(lambda: [Message("ast-edge/attic/mic/status", "new")])
        assert subscriber.wait_on("ast-edge/attic/mic/status") == ["new"]


def test_other_extensions_greet_over_the_same_connection(broker, open_sink):
    with Subscriber(broker) as subscriber:
        sink = open_sink()
        subscriber.wait_on("ast-edge/attic/extra")
        sink.follow([], lambda: [Repeater()])
        subscriber.wait_on("ast-edge/attic/extra", 2)
        assert set(subscriber.on("ast-edge/attic/availability")) == {"online"}
    assert sink.reconnects == 0


def test_what_an_extension_wanted_to_say_later_is_not_said_when_another_has_its_place(
    broker, open_sink
):
    with Subscriber(broker) as subscriber:
        sink = open_sink()
        subscriber.wait_on("ast-edge/attic/extra")
        broker.publish("elsewhere/status", "a")
        subscriber.wait_on("ast-edge/attic/heard")
        sink.follow([], lambda: [Repeater()])
        subscriber.wait_on("ast-edge/attic/extra", 2)
        broker.publish("elsewhere/status", "b")
        answers = subscriber.wait_on("ast-edge/attic/heard", 4)
    assert answers[1] == "elsewhere/status b"
