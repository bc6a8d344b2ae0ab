"""Events as MQTT messages: states, event payloads and availability of one node."""

import logging
import threading
from collections.abc import Iterable
from functools import partial

from ast_edge.config import MqttConfig
from ast_edge.connection import Connection, Message
from ast_edge.events import Event, Label
from ast_edge.payload import event_json
from ast_edge.topics import Topics

log = logging.getLogger(__name__)

QUEUE_SIZE = 1000
"""Events that wait for a connection; the oldest is dropped for a newer one."""
EVENT_EXPIRY = 60
"""Seconds for which a broker keeps an event for a subscriber that is away (MQTT 5)."""
CLOSE_TIMEOUT = 2.0
"""Seconds that `close` waits for acknowledgements."""

STATE_AFTER = {"start": "ON", "end": "OFF"}


class MqttSink:
    """Publish events to a broker, with QoS 1.

    - Availability, retained: "online" while connected, "offline" by last will or on `close`.
    - One retained state per entity, "ON" or "OFF": always the present one. All are published on
      every connection, because a broker may have lost them; old ones are never sent late.
    - Every event as JSON, not retained. Without a connection up to 1000 events wait in memory and
      are sent when there is one; an event is sent again until the broker has acknowledged it, so
      it arrives at least once.

    The broker need not be there: connecting goes on in the background and faults are logged, once
    each. `publish` and `close` may be called from any thread.

    Raises:
        ConfigError: the host name, the password or a certificate cannot be used.
    """

    def __init__(
        self,
        config: MqttConfig,
        node: str,
        bundle: str,
        entities: Iterable[tuple[str, Label]],
    ) -> None:
        self._topics = Topics(config.base_topic, node)
        self._node = node
        self._bundle = bundle
        self._states = {self._topics.state(source, label): "OFF" for source, label in entities}
        self._pending: dict[int, Message] = {}  # events, oldest first, by number
        self._packets: dict[int, tuple[Message, int | None]] = {}  # sent, with the event's number
        self._refusal_logged = False
        self._overflow_logged = False
        self._closing = False
        self._closed = False
        self._drained = threading.Event()
        self.published = 0
        """Events taken from the pipeline."""
        self.acknowledged = 0
        """Events that the broker has acknowledged."""
        self.dropped = 0
        """Events given up: the queue was full, or the broker refused them."""
        self._connection = Connection(
            config,
            f"ast-edge-{node}",
            will=self._availability("offline"),
            on_up=self._greet,
            on_acknowledged=self._acknowledge,
        )
        self._connection.start()

    @property
    def connected(self) -> bool:
        """Whether there is a connection to the broker."""
        return self._connection.connected

    @property
    def reconnects(self) -> int:
        """How often a connection was made again."""
        return max(0, self._connection.connections - 1)

    def wait_connected(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds for the connection and return whether there is one."""
        return self._connection.wait_connected(timeout)

    def publish(self, event: Event) -> None:
        """Send the event, or keep it until there is a connection; returns at once."""
        self._connection.submit(partial(self._publish, event))

    def close(self) -> None:
        """Publish OFF and "offline" and disconnect; waits up to 2 s for acknowledgements."""
        if self._closed:
            return
        self._closed = True
        self._connection.submit(self._leave)
        delivered = self._drained.wait(CLOSE_TIMEOUT)
        self._connection.close()
        if not delivered:
            log.warning("MQTT: %d events were not delivered", len(self._pending))

    def _publish(self, event: Event) -> None:
        if state := STATE_AFTER.get(event.phase):
            self._set_state(self._topics.state(event.source, event.label), state)
        self.published += 1
        self._pending[self.published] = Message(
            self._topics.event(event.source),
            event_json(event, node=self._node, bundle=self._bundle),
            expiry=EVENT_EXPIRY,
        )
        # With a connection they are on their way; the keepalive ends one that is dead.
        while not self.connected and len(self._pending) > QUEUE_SIZE:
            self._drop_oldest()
        self._send(self._pending[self.published], self.published)

    def _set_state(self, topic: str, state: str) -> None:
        self._states[topic] = state
        self._send(Message(topic, state, retain=True))

    def _send(self, message: Message, number: int | None = None) -> None:
        packet = self._connection.publish(message)
        if packet is not None:
            self._packets[packet] = (message, number)

    def _greet(self) -> None:
        """Tell a broker that may know nothing: availability, every state, what it missed."""
        self._packets.clear()
        self._overflow_logged = False
        self._send(self._availability("online"))
        for topic, state in self._states.items():
            self._send(Message(topic, state, retain=True))
        for number, message in self._pending.items():
            self._send(message, number)
        if self._closing:
            self._send_farewell()

    def _acknowledge(self, packet: int, refusal: str | None) -> None:
        message, number = self._packets.pop(packet)
        if number in self._pending:
            del self._pending[number]
            if refusal is None:
                self.acknowledged += 1
            else:
                self.dropped += 1
        if refusal is not None and not self._refusal_logged:
            self._refusal_logged = True
            log.error(
                "MQTT %s: the broker does not let us publish to %s: %s; allow this user to write "
                "to %s/%s/#",
                *(self._connection.address, message.topic, refusal),
                *(self._topics.base, self._topics.node),
            )
        self._notice_drained()

    def _drop_oldest(self) -> None:
        del self._pending[next(iter(self._pending))]
        self.dropped += 1
        if not self._overflow_logged:
            self._overflow_logged = True
            log.warning("MQTT: more than %d events wait: the oldest are dropped", QUEUE_SIZE)

    def _leave(self) -> None:
        self._closing = True
        if self.connected:
            self._send_farewell()
        else:
            self._packets.clear()
        self._notice_drained()

    def _send_farewell(self) -> None:
        for topic, state in self._states.items():
            if state == "ON":
                self._set_state(topic, "OFF")
        self._send(self._availability("offline"))

    def _notice_drained(self) -> None:
        if self._closing and not self._pending and not self._packets:
            self._drained.set()

    def _availability(self, payload: str) -> Message:
        return Message(self._topics.availability, payload, retain=True)
