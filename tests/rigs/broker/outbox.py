"""Events for an outbox, and what waits in one."""

import json

from ast_edge.detection.event import Event
from ast_edge.model.label import Label
from ast_edge.mqtt.outbox import Outbox
from ast_edge.outputs.payload import event_json

TOPIC = "ast-edge/attic/mic/event"
DOG = Label(0, "Dog", "/m/0bt9lr")
MAX_AGE = 3600.0
"""Seconds; of the outboxes that tests open."""


def event(phase: str = "update", id: str = "e", duration: float = 2.0) -> Event:
    """Return an event of a dog."""
    return Event(id, phase, "mic", DOG, 1700000000.0, 1700000000.0 + duration, 0.8, 0.9, "home")


def put(outbox: Outbox, event: Event) -> None:
    """Put an event as the sink does."""
    outbox.put(event, TOPIC, event_json(event, node="attic"))


def waiting(outbox: Outbox) -> list[tuple[str, str]]:
    """Return what waits as (id, phase)."""
    payloads = [json.loads(entry.payload) for entry in outbox.after(0, 10**6)]
    return [(p["id"], p["type"]) for p in payloads]
