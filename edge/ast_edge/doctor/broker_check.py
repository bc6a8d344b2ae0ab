"""Whether a broker takes what the daemon would send it: will, discovery, a message and back."""

import logging
import threading
import time
from collections.abc import Iterator, Sequence

from ast_edge.app.plan import Plan
from ast_edge.doctor.finding import Finding
from ast_edge.home_assistant.announcer import discovery_messages
from ast_edge.home_assistant.discovery import describe, device_id
from ast_edge.monitoring.remedies import REMEDIES
from ast_edge.mqtt.config import MqttConfig
from ast_edge.mqtt.connection import Connection
from ast_edge.mqtt.home_assistant_config import HomeAssistantConfig
from ast_edge.mqtt.limits import size
from ast_edge.mqtt.message import Message
from ast_edge.mqtt.topics import Topics

ANSWER_SECONDS = 10.0
"""Time that a broker has to let us in, and for every step after that."""


def check_broker(config: MqttConfig, plan: Plan) -> Iterator[Finding]:
    """Go through what the daemon would say to its broker, on topics that nobody looks at."""
    if config.embedded:
        yield Finding("broker", True, "the embedded one: starts with `ast-edge run`")
        return
    trip = _RoundTrip(config, plan.config.node, _discovery(config.home_assistant, config, plan))
    connection, start = trip.connection, time.monotonic()
    connection.start()
    try:
        if not connection.wait_judged(ANSWER_SECONDS):
            text = f"{connection.address}: {connection.fault or 'no answer'}"
            yield Finding("broker", False, text, REMEDIES["broker"])
            return
        yield Finding("broker", True, f"{connection.address}, MQTT {config.protocol}")
        came_back = trip.came_back.wait(ANSWER_SECONDS)
        yield from _limits(trip, config, plan)
    finally:
        connection.close()
    well = came_back and not trip.refusals
    took = f"{1000 * (time.monotonic() - start):.0f} ms, {trip.bytes} bytes"
    lost = connection.fault or "the message did not come back"
    text = took if well else "; ".join(trip.refusals) or lost
    own = f"{config.base_topic}/{plan.config.node}/#"
    remedy = "" if well else f"allow this user to read and write {own}"
    yield Finding("round trip", well, f"{trip.topic}: {text}", remedy)


def _limits(trip: "_RoundTrip", config: MqttConfig, plan: Plan) -> Iterator[Finding]:
    """Say what the broker does not take, and of discovery whether it does."""
    for sentence in trip.connection.limits.sentences():
        text, _, remedy = sentence.partition("; ")
        yield Finding("broker limits", False, f"it {text}", remedy)
    section = config.home_assistant
    if not section.enabled:
        return
    if trip.discovery_refusal:
        remedy = f"allow this user to write to {section.prefix}/#"
        yield Finding("discovery", False, f"{section.prefix}: {trip.discovery_refusal}", remedy)
        return
    messages, form = _discovery(section, config, plan), ""
    if not all(map(trip.connection.takes, messages)):
        by_entity = section.model_copy(update={"per_entity": True})
        messages, form = _discovery(by_entity, config, plan), ", one for each entity"
    text = f"{len(messages)} messages of at most {max(map(size, messages))} bytes{form}"
    if large := [message for message in messages if not trip.connection.takes(message)]:
        text += f"; {len(large)} of them are too large for the broker and left out"
        yield Finding("discovery", False, text, "let the broker take larger packets")
    else:
        yield Finding("discovery", True, text)


def _discovery(section: HomeAssistantConfig, config: MqttConfig, plan: Plan) -> list[Message]:
    """Return what Home Assistant would be told."""
    topics = Topics(config.base_topic, plan.config.node)
    devices = describe(
        *(section, topics, plan.labels),
        models={name: hearing.bundle.name for name, hearing in plan.hearings.items()},
        commands=config.commands,
        updates=plan.config.updates is not None,
    )
    return discovery_messages(section, devices)


class _RoundTrip:
    """Subscribe, publish the largest message there would be, and wait for it to come back."""

    def __init__(self, config: MqttConfig, node: str, discovery: Sequence[Message]) -> None:
        self.topic = f"{config.base_topic}/{node}/doctor"
        self.came_back = threading.Event()
        self.refusals: list[str] = []
        self.discovery_refusal = ""
        self.bytes = 0
        self._payloads = [message.payload for message in discovery] or ["ping"]
        self._discovery = ""
        """A discovery topic of no device; empty where there is to be no discovery."""
        if discovery:
            prefix, device = config.home_assistant.prefix, device_id(node)
            self._discovery = f"{prefix}/device/{device}-doctor/config"
        self._asked: int | None = None
        # The will is as the daemon's, but for the topic: this must not say that it is offline.
        self.connection = Connection(
            config,
            f"ast-edge-{node}-doctor",
            will=Message(self.topic, "offline", retain=True),
            on_up=lambda: self.connection.subscribe(self.topic),
            on_subscribed=self._publish,
            on_acknowledged=self._acknowledged,
            on_message=lambda topic, payload, retained: self.came_back.set(),
            log_level=logging.DEBUG,
        )

    def _publish(self, _: str, refusal: str | None) -> None:
        self._refused("subscribing", refusal)
        if self._discovery:
            self._asked = self.connection.publish(Message(self._discovery, "", retain=True))
        messages = [Message(self.topic, payload) for payload in self._payloads]
        taken = [message for message in messages if self.connection.takes(message)]
        largest = max(taken, key=size, default=Message(self.topic, "ping"))
        self.bytes = size(largest)
        self.connection.publish(largest)

    def _acknowledged(self, packet: int, refusal: str | None) -> None:
        if packet == self._asked:
            self.discovery_refusal = refusal or ""
        else:
            self._refused("publishing", refusal)

    def _refused(self, what: str, refusal: str | None) -> None:
        if refusal is not None:
            self.refusals.append(f"{what}: {refusal}")
            self.came_back.set()
