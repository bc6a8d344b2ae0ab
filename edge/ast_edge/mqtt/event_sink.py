"""Events as MQTT messages: states, event payloads and availability of one node."""

import logging
import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from paho.mqtt.client import topic_matches_sub

from ast_edge.detection.event import Event
from ast_edge.model.label import Label
from ast_edge.mqtt.config import MqttConfig
from ast_edge.mqtt.connection import Connection
from ast_edge.mqtt.message import Message
from ast_edge.mqtt.outbox import Entry, Outbox
from ast_edge.mqtt.participant import Participant
from ast_edge.mqtt.topics import Topics
from ast_edge.outputs.payload import event_json, late_json

log = logging.getLogger(__name__)

LATE = 10.0
"""Seconds after which an event that had to wait is sent as a late one."""
TELL_SECONDS = 60.0
"""Seconds between two greetings of a broker that keeps no retained messages."""
HEARING_TIMEOUT = 30.0
"""Seconds after which what a node tells itself must have come back."""
CLOSE_TIMEOUT = 2.0
"""Seconds that `close` waits for acknowledgements."""

STATE_AFTER = {"start": "ON", "end": "OFF"}


class MqttSink:
    """Publish events to a broker, with QoS 1.

    - Availability, retained: "online" while connected, "offline" by last will or on `close`.
    - One retained state per entity, "ON" or "OFF": always the present one. All are published on
      every connection, because a broker may have lost them; old ones are never sent late.
    - Every event as JSON, not retained, in order. They wait in the outbox, and leave it when the
      broker has acknowledged them: each arrives at least once, also if this process is killed.

    A few messages are on their way at once, as many as the broker takes; events and all others,
    which wait in memory, take turns.

    The broker need not be there: connecting goes on in the background and faults are logged, once
    each. All methods may be called from any thread.

    Raises:
        ConfigError: the host name, the password or a certificate cannot be used.
    """

    def __init__(
        self,
        config: MqttConfig,
        node: str,
        outbox: Outbox,
    ) -> None:
        """Take an outbox, which `close` closes; it stays open if this fails.

        All waits for `start`, and for whom to speak `follow` tells.
        """
        self._topics = Topics(config.base_topic, node)
        self._states: dict[str, str] = {}
        self.outbox = outbox
        """What waits for the broker."""
        self._participants: Sequence[Participant] = ()
        self._sent = 0  # number of the newest event that is or was on its way
        self._packets: dict[int, tuple[Message, int | None]] = {}  # sent, with the event's number
        self._waiting: OrderedDict[object, Message] = OrderedDict()  # to be sent; states by topic
        self._event_next = True  # whether it is the turn of an event
        self._refusals: set[str] = set()  # topic filters, each said once
        self._hears = False
        self._closing = self._handing_over = False
        self._closed = False
        self._drained = threading.Event()
        self.published = 0
        """Events taken from the pipeline."""
        self.acknowledged = 0
        """Events that the broker has acknowledged."""
        self._refused = 0
        self._connection = Connection(
            config,
            f"ast-edge-{node}",
            will=self._availability("offline"),
            on_up=self._greet,
            on_acknowledged=self._acknowledge,
            on_subscribed=self._subscribed,
            on_message=self._hear,
        )

    def start(self) -> None:
        """Begin to connect; returns at once."""
        self._connection.start()

    @property
    def dropped(self) -> int:
        """Events given up: too many, too old, or the broker refused them."""
        return self._refused + self.outbox.dropped + self.outbox.expired

    @property
    def waiting(self) -> int:
        """Events that the broker has not acknowledged."""
        return 0 if self._closed else len(self.outbox)

    @property
    def connected(self) -> bool:
        """Whether there is a connection to the broker."""
        return self._connection.connected

    @property
    def address(self) -> str:
        """The broker as `host:port`."""
        return self._connection.address

    @property
    def fault(self) -> str:
        """Why there is no connection; empty while there is one or the first is being made."""
        return self._connection.fault

    @property
    def reconnects(self) -> int:
        """How often a connection was made again."""
        return max(0, self._connection.connections - 1)

    def wait_connected(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds for the connection and return whether there is one."""
        return self._connection.wait_connected(timeout)

    def publish(self, event: Event) -> None:
        """Keep the event, and send it as soon as it is its turn; returns at once."""
        if self._closed:
            return
        payload = event_json(event, node=self._topics.node)
        self.outbox.put(event, self._topics.event(event.source), payload)
        self._connection.submit(partial(self._publish, event))

    @property
    def keeps_retained(self) -> bool:
        """Whether the broker keeps what is retained, as far as it has said so."""
        return self._connection.limits.retain

    def takes(self, message: Message) -> bool:
        """Tell whether the broker takes a message of this size."""
        return self._connection.takes(message)

    def publish_messages(self, make: Callable[[], Iterable[Message]]) -> None:
        """Call `make` in the connection's thread, as participants are, and send what it returns.

        Without a connection that is forgotten (see `Participant.greet`).
        """
        self._connection.submit(lambda: self._send_all(make()))

    def follow(
        self, entities: Iterable[tuple[str, Label]], extend: Callable[[], Sequence[Participant]]
    ) -> None:
        """Speak for other entities and with other participants from now on.

        Entities that stay keep their states. `extend` makes the participants, in the connection's
        thread.
        """
        self._connection.submit(partial(self._follow, list(entities), extend))

    def resume(self, running: Iterable[tuple[str, Label]]) -> None:
        """Take it that these entities are ON; to be called before `start`."""
        self._states |= {self._topics.state(*entity): "ON" for entity in running}

    def hand_over(self) -> None:
        """Close, but leave the outbox and what waits in it to the next sink."""
        self._handing_over = True
        self.close()

    def close(self) -> None:
        """Publish OFF and "offline" and disconnect; waits up to 2 s for acknowledgements."""
        if self._closed:
            return
        self._closed = True
        self._connection.submit(self._leave)
        self._drained.wait(CLOSE_TIMEOUT)
        self._connection.close()
        if self._handing_over:
            return
        if waiting := len(self.outbox):
            if self.outbox.durable:
                log.info("MQTT: %d events wait for the next run", waiting)
            else:
                log.warning("MQTT: %d events were not delivered", waiting)
        self.outbox.close()

    def _publish(self, event: Event) -> None:
        if state := STATE_AFTER.get(event.phase):
            self._set_state(self._topics.state(event.source, event.label), state)
        self.published += 1
        self._send_more()

    def _set_state(self, topic: str, state: str) -> None:
        self._states[topic] = state
        self._send(Message(topic, state, retain=True))

    def _send_more(self) -> None:
        """Send what waits, event and other message in turn, as far as the broker takes it now."""
        while self.connected and len(self._packets) < self._connection.window:
            self._event_next = not self._event_next
            turns = [self._send_other, self._send_event]
            if not any(send() for send in (reversed(turns) if self._event_next else turns)):
                return

    def _send_event(self) -> bool:
        if self._closing and self._handing_over:
            return False
        for entry in self.outbox.after(self._sent, 1):
            self._sent = entry.number
            message = self._message(entry)
            packet = self._connection.publish(message)
            if packet is not None:
                self._packets[packet] = (message, entry.number)
            elif self.connected:  # the broker does not take it, and never will
                self._refused += self.outbox.remove(entry.number)
            return True
        return False

    def _send_other(self) -> bool:
        if not self._waiting:
            return False
        _, message = self._waiting.popitem(last=False)
        packet = self._connection.publish(message)
        if packet is not None:
            self._packets[packet] = (message, None)
        return True

    def _message(self, entry: Entry) -> Message:
        payload = late_json(entry.payload) if entry.age > LATE else entry.payload
        remaining = self.outbox.max_age - entry.age
        return Message(entry.topic, payload, expiry=max(1, math.ceil(remaining)))

    def _send_all(self, messages: Iterable[Message]) -> None:
        for message in messages:
            if message.delay:
                later = partial(self._send_late, message, self._participants)
                self._connection.submit_later(message.delay, later)
            else:
                self._send(message)

    def _send_late(self, message: Message, participants: Sequence[Participant]) -> None:
        if participants is self._participants:  # others have their own to say
            self._send(message)

    def _send(self, message: Message) -> None:
        """Send a message when it is its turn; without a connection it is forgotten."""
        if not self.connected:
            return
        if message.qos == 0:  # of the moment
            self._connection.publish(message)
            return
        # Of a state only the newest counts. What is told of it to others may come in steps.
        is_state = message.retain and message.topic.startswith(f"{self._topics.root}/")
        self._waiting[message.topic if is_state else object()] = message
        self._send_more()

    def _greet(self) -> None:
        """Tell a broker that may know nothing: availability, every state, what it missed."""
        self._packets.clear()
        self._waiting.clear()
        self._sent = 0
        self._introduce()
        self._send_more()
        if self._closing:
            self._send_farewell()

    def _introduce(self) -> None:
        for participant in self._participants:
            for topic_filter in participant.subscriptions:
                self._connection.subscribe(topic_filter)
        self._tell()

    def _tell(self) -> None:
        self._send(self._availability("online"))
        for topic, state in self._states.items():
            self._send(Message(topic, state, retain=True))
        for participant in self._participants:
            self._send_all(participant.greet())
        if not self._connection.limits.retain:
            self._connection.submit_later(
                TELL_SECONDS, partial(self._tell_again, self._participants)
            )

    def _tell_again(self, participants: Sequence[Participant]) -> None:
        if participants is self._participants and not self._closing:
            self._tell()

    def _follow(
        self, entities: Iterable[tuple[str, Label]], extend: Callable[[], Sequence[Participant]]
    ) -> None:
        topics = [self._topics.state(*entity) for entity in entities]
        self._states = {topic: self._states.get(topic, "OFF") for topic in topics}
        self._participants = extend()
        if self.connected and not self._closing:
            self._introduce()

    def _check_hearing(self) -> None:
        """Say it if an access control list lets us subscribe, but delivers nothing."""
        if not self._hears:
            root, topic = f"{self._topics.root}/#", self._topics.greeted
            self._say_refusal("read", root, f"hear what we publish to {topic}", "nothing arrives")

    def _hear(self, topic: str, payload: bytes, retained: bool) -> None:
        self._hears = True
        for participant in self._participants:
            if any(topic_matches_sub(wanted, topic) for wanted in participant.subscriptions):
                self._send_all(participant.received(topic, payload, retained=retained))

    def _subscribed(self, topic_filter: str, refusal: str | None) -> None:
        if refusal is not None:
            self._say_refusal("read", topic_filter, f"subscribe to {topic_filter}", refusal)

    def _acknowledge(self, packet: int, refusal: str | None) -> None:
        if packet not in self._packets:  # of QoS 0
            return
        message, number = self._packets.pop(packet)
        if message.topic == self._topics.greeted and not refusal:
            self._connection.submit_later(HEARING_TIMEOUT, lambda: self._check_hearing())
        if refusal is not None:
            root = self._topics.root
            top = root if message.topic.startswith(root) else message.topic.split("/")[0]
            self._say_refusal("write to", f"{top}/#", f"publish to {message.topic}", refusal)
        if number is not None:
            waited = self.outbox.remove(number)
            self.acknowledged += refusal is None
            self._refused += waited and refusal is not None
        self._send_more()
        if not self._packets and not self._waiting:
            self._connection.settle()
        self._notice_drained()

    def _say_refusal(self, right: str, filters: str, what: str, refusal: str) -> None:
        if f"{right} {filters}" not in self._refusals:
            self._refusals.add(f"{right} {filters}")
            log.error(
                "MQTT %s: the broker does not let us %s: %s; allow this user to %s %s",
                *(self._connection.address, what, refusal),
                *(right, filters),
            )

    def _leave(self) -> None:
        self._closing = True
        if self.connected:
            self._send_farewell()
        else:
            self._packets.clear()
            self._waiting.clear()
        self._notice_drained()

    def _send_farewell(self) -> None:
        """Say OFF and "offline", before all that still waits."""
        running = [topic for topic, state in self._states.items() if state == "ON"]
        self._states |= dict.fromkeys(running, "OFF")
        last = [*(Message(t, "OFF", retain=True) for t in running), self._availability("offline")]
        for message in reversed(last):
            self._waiting[message.topic] = message
            self._waiting.move_to_end(message.topic, last=False)
        self._send_more()

    def _notice_drained(self) -> None:
        said = self._closing and not self._packets and not self._waiting
        if said and (self._handing_over or not len(self.outbox)):
            self._drained.set()

    def _availability(self, payload: str) -> Message:
        return Message(self._topics.availability, payload, retain=True)
