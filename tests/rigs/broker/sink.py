"""Sinks for events at a broker of the test's own, and what arrives of them."""

import json
from collections.abc import Iterable, Sequence

from rigs.broker.mosquitto import Subscriber

from ast_edge.detection.event import Event, Phase
from ast_edge.model.label import Label
from ast_edge.mqtt.config import MqttConfig
from ast_edge.mqtt.event_sink import MqttSink
from ast_edge.mqtt.outbox import Outbox
from ast_edge.mqtt.participant import Participant

DOG = Label(0, "Dog", "/m/0bt9lr")
SIREN = Label(1, "Siren", "/m/03kmc9")
AVAILABILITY = "ast-edge/attic/availability"
EVENTS = "ast-edge/attic/mic/event"
DOG_STATE = "ast-edge/attic/mic/dog/state"
SIREN_STATE = "ast-edge/attic/mic/siren/state"


def started(
    config: MqttConfig,
    entities: Iterable[tuple[str, Label]] = (),
    outbox: Outbox | None = None,
    participants: Sequence[Participant] = (),
) -> MqttSink:
    """Return a sink of the node "attic" that connects; without an outbox with one in memory."""
    if outbox is None:
        limits = config.outbox
        outbox = Outbox(None, max_age=limits.max_age, max_events=limits.max_events)
    sink = MqttSink(config, "attic", outbox)
    sink.follow(entities, lambda: participants)
    sink.start()
    return sink


def event(phase: Phase, number: int = 0, label: Label = DOG) -> Event:
    """An event of the source "mic"; of one number, one life."""
    return Event(f"e{number}", phase, "mic", label, 1700000000.0, 1700000002.0, 0.8, 0.9, "home")


def events(subscriber: Subscriber) -> list[tuple[str, str]]:
    """Return what has arrived as (id, phase), without the repetitions that QoS 1 allows."""
    payloads = map(json.loads, subscriber.on(EVENTS))
    return list(dict.fromkeys((p["id"], p["type"]) for p in payloads))


def wait_for_events(subscriber: Subscriber, *expected: tuple[str, str]) -> None:
    """Wait until all have arrived, and check that nothing else has and that they are in order."""
    subscriber.wait_for(lambda: set(events(subscriber)) >= set(expected))
    assert events(subscriber) == list(expected)
