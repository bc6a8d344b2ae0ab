"""One MQTT connection that is kept up."""

import contextlib
import logging
import os
import random
import socket
import sys
import threading
import time
from collections.abc import Callable
from functools import partial

from paho.mqtt.client import Client, DisconnectFlags, MQTTMessage
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from ast_edge.base.mailbox import Mailbox
from ast_edge.mqtt import faults as mqtt_faults
from ast_edge.mqtt.broker_access import BrokerAccess, BrokerClient
from ast_edge.mqtt.config import MqttConfig
from ast_edge.mqtt.limits import BrokerLimits, Limits
from ast_edge.mqtt.message import Message as Message
from ast_edge.mqtt.supervisor import BrokerUnknown

log = logging.getLogger(__name__)

RETRY_MAX = 30.0
"""Longest pause between two attempts to connect, in seconds."""
ANSWER_SECONDS = 60.0
"""A broker that acknowledges nothing for so long is left."""


class Connection:
    """Connect to the broker, notice when the connection ends, and try again with pauses.

    A thread of its own runs what is given to `submit` and every callback, one after the other:
    what is touched only there needs no lock. `publish` and `subscribe` are to be called there. When
    something of it fails, the connection is made anew: `on_up` makes all right that was left half
    done. So it is when paho's own thread dies of what the broker sends.

    Each attempt has a fresh paho client, and what an old one had not delivered is forgotten:
    paho itself would send it again after what `on_up` publishes, so that an old state would
    overwrite the present one. `on_up` sends what is still worth sending.

    Callbacks: `on_up()`, `on_acknowledged(packet, refusal)` for `publish`,
    `on_subscribed(topic_filter, refusal)` for `subscribe`, and `on_message(topic, payload,
    retained)`; a refusal is the broker's reason, None when it agreed.

    Raises:
        ConfigError: the host name, the password or a certificate cannot be used.
    """

    def __init__(
        self,
        config: MqttConfig,
        client_id: str,
        *,
        will: Message | None = None,
        on_up: Callable[[], None] = lambda: None,
        on_acknowledged: Callable[[int, str | None], None] = lambda packet, refusal: None,
        on_subscribed: Callable[[str, str | None], None] = lambda topic_filter, refusal: None,
        on_message: Callable[[str, bytes, bool], None] = lambda topic, payload, retained: None,
        log_level: int = logging.WARNING,
    ) -> None:
        self._access = BrokerAccess(config)
        self._client_id = client_id
        self._will = will
        self._on_up = on_up
        self._on_acknowledged = on_acknowledged
        self._on_subscribed = on_subscribed
        self._on_message = on_message
        self._log_level = log_level

        self._mailbox = Mailbox(client_id, self._begin_anew, vital=True)
        self._client: Client | None = None
        self._asked: dict[int, str] = {}  # topic filters by packet id, until they are answered
        self._unanswered: dict[int, Message] = {}  # by packet id, until they are acknowledged
        self._answered_at = 0.0  # the newest answer, or when one began to be waited for
        self._limits = BrokerLimits()
        self._said: set[str] = set()  # what the broker does not take, each said once
        self._up = threading.Event()
        self._judged = threading.Event()  # set once the broker has let us in, or refused for good
        self._up_since = 0.0
        self._failures = 0
        self._retrying = False  # whether `_connect` is to come
        self._short = 0  # connections in a row that were lost soon
        self._settled = False  # whether this one had nothing to say any more, at some time
        self.fault = ""
        """Why there is no connection; empty while there is one or the first is being made."""
        self.connections = 0
        """How often a connection was made."""

    @property
    def address(self) -> str:
        """The broker as `host:port`."""
        return self._access.address

    @property
    def connected(self) -> bool:
        """Whether the broker has let us in."""
        return self._up.is_set()

    @property
    def limits(self) -> Limits:
        """What the broker takes, as far as it has said so."""
        return self._limits.present

    @property
    def window(self) -> int:
        """Messages that may be on their way at once."""
        return self._limits.window

    def takes(self, message: Message) -> bool:
        """Tell whether the broker takes a message of this size."""
        return self._limits.takes(message)

    def wait_connected(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds for the connection and return whether there is one."""
        return self._up.wait(timeout)

    def wait_judged(self, timeout: float) -> bool:
        """Wait like `wait_connected`, but no longer when the broker has refused us for good."""
        self._judged.wait(timeout)
        return self.connected

    def start(self) -> None:
        """Begin to connect; returns at once."""
        self._mailbox.put(self._connect)
        self._mailbox.start()

    def submit(self, action: Callable[[], None]) -> None:
        """Run `action` in the connection's thread, after everything submitted before."""
        self._mailbox.put(action)

    def submit_later(self, delay: float, action: Callable[[], None]) -> None:
        """Run `action` there after `delay` seconds, if the connection of now is still up then."""
        client = self._client
        self._mailbox.put_later(
            delay, lambda: action() if client is self._client and self.connected else None
        )

    def publish(self, message: Message) -> int | None:
        """Send a message and return its packet id.

        None without a connection, and for a message that the broker does not take, which is said.
        """
        if self._client is None or not self.connected:
            return None
        if not self._limits.takes(message):
            if not self.limits.fits(message):  # else it is said already
                self._say(mqtt_faults.too_large(message, self.limits.maximum_packet_size))
            return None
        packet = self._access.publish(self._client, self.limits.adapt(message))
        self._wait_for_answer()
        self._unanswered[packet] = message
        return packet

    def subscribe(self, topic_filter: str) -> None:
        """Ask for the messages of a topic filter; lost with the connection."""
        if self._client is not None:
            _, packet = self._client.subscribe(topic_filter, qos=1)
            if packet is not None:
                self._wait_for_answer()
                self._asked[packet] = topic_filter

    def settle(self) -> None:
        """Take that the broker has acknowledged all that there was to say."""
        self._settled = True

    def close(self, timeout: float = 1.0) -> None:
        """Disconnect cleanly; a broker that does not answer is left after `timeout` seconds."""
        self._mailbox.close(self._stop, timeout)

    def _connect(self) -> None:
        self._retrying = False
        if self._client is not None:  # a fault has asked for it as well
            return
        will = None if self._will is None else self.limits.adapt(self._will)
        try:
            client = self._access.client(self._client_id, will)
        except BrokerUnknown as exc:
            self._fail(str(exc))
            return
        self._hear(client)
        self._client = client
        client.loop_start()

    def _hear(self, client: BrokerClient) -> None:
        """Bring the client's callbacks from paho's thread into ours."""

        def connect_failed(c: Client, _: object) -> None:
            # paho calls this while it handles the exception, and hands it to nobody.
            fault = mqtt_faults.unreachable(sys.exc_info()[1], self._access.config)
            self.submit(partial(self._failed, c, fault))

        def connected(
            c: Client, _: object, flags: object, reason: ReasonCode, stated: Properties | None
        ) -> None:
            if reason.is_failure:
                self.submit(partial(self._refused, c, reason))
            else:
                self.submit(partial(self._accepted, c, stated))

        def disconnected(
            c: Client, _: object, flags: DisconnectFlags, reason: ReasonCode, __: object
        ) -> None:
            self.submit(partial(self._ended, c, reason, flags.is_disconnect_packet_from_server))

        def acknowledged(c: Client, _: object, packet: int, reason: ReasonCode, __: object) -> None:
            self._pass_on(c, partial(self._acknowledged, packet, _refusal(reason)))

        def subscribed(
            c: Client, _: object, packet: int, reasons: list[ReasonCode], __: object
        ) -> None:
            self._pass_on(c, partial(self._answered, packet, _refusal(reasons[0])))

        def message(c: Client, _: object, received: MQTTMessage) -> None:
            try:
                topic = received.topic
            except UnicodeDecodeError as exc:
                log.warning("MQTT %s: a topic that is no UTF-8: %s; left out", self.address, exc)
                return
            payload, retained = bytes(received.payload), received.retain
            self._pass_on(c, partial(self._on_message, topic, payload, retained))

        def failed(exc: Exception) -> None:
            self.submit(partial(self._failed, client, mqtt_faults.senseless(exc)))

        client.on_fault = failed
        client.on_connect_fail = connect_failed
        client.on_connect = connected
        client.on_disconnect = disconnected
        client.on_publish = acknowledged
        client.on_subscribe = subscribed
        client.on_message = message

    def _pass_on(self, client: Client, callback: Callable[[], None]) -> None:
        """Run a callback in our thread unless its client has been given up by then."""
        self.submit(lambda: callback() if client is self._client else None)

    def _wait_for_answer(self) -> None:
        if not self._unanswered and not self._asked:
            self._answered_at = time.monotonic()

    def _check_answers(self) -> None:
        """Leave a broker that answers pings alone."""
        waiting = self._unanswered or self._asked
        if self._client and waiting and time.monotonic() - self._answered_at > ANSWER_SECONDS:
            self._down(self._client, mqtt_faults.mute(ANSWER_SECONDS))
        else:
            self.submit_later(ANSWER_SECONDS / 4, self._check_answers)

    def _acknowledged(self, packet: int, refusal: str | None) -> None:
        self._answered_at = time.monotonic()
        self._unanswered.pop(packet, None)
        self._on_acknowledged(packet, refusal)

    def _answered(self, packet: int, refusal: str | None) -> None:
        self._answered_at = time.monotonic()
        if topic_filter := self._asked.pop(packet, None):
            self._on_subscribed(topic_filter, refusal)

    def _accepted(self, client: Client, stated: Properties | None) -> None:
        if client is not self._client:
            return
        self._asked.clear()
        self._unanswered.clear()
        self._limits.stated(stated)
        self.connections += 1
        self.fault = ""
        self._up_since = time.monotonic()
        self._settled = False
        self._up.set()
        self._judged.set()
        log.log(min(self._log_level, logging.INFO), "MQTT %s: connected", self.address)
        for sentence in self.limits.sentences():
            self._say(sentence)
        self.submit_later(ANSWER_SECONDS / 4, self._check_answers)
        self.submit_later(mqtt_faults.SHORT, self._limits.lasted)
        self._on_up()

    def _say(self, sentence: str) -> None:
        if sentence not in self._said:
            self._said.add(sentence)
            log.log(self._log_level, "MQTT %s: the broker %s", self.address, sentence)

    def _refused(self, client: Client, reason: ReasonCode) -> None:
        if client is self._client:
            self._limits.refused(reason.value)
            self._failed(client, mqtt_faults.refused(reason, self._access.config))
            if reason.value in mqtt_faults.FOR_GOOD:
                self._judged.set()

    def _failed(self, client: Client, fault: str) -> None:
        if client is self._client:
            self._short = 0  # the broker was away: no wonder that the connection was lost
            self._down(client, fault)

    def _ended(self, client: Client, reason: ReasonCode, by_broker: bool) -> None:
        if client is not self._client:
            return
        if self.connected:
            lasted = time.monotonic() - self._up_since
            self._short = self._short + 1 if lasted < mqtt_faults.SHORT else 0
        unanswered = list(self._unanswered.values())
        if by_broker:
            self._limits.refused(reason.value, unanswered)
        elif self.connected and reason.value == mqtt_faults.CONNECTION_LOST:
            culprit = self._limits.hung_up(unanswered, self._short, settled=self._settled)
            if culprit is not None:
                self._say(mqtt_faults.hung_up_on(culprit))
                self._short = 0
        fault = mqtt_faults.lost(
            *(reason, self._access.config),
            by_broker=by_broker,
            accepted=self.connected,
            short=self._short,
            unanswered=unanswered if by_broker or not self._settled else (),
        )
        self._down(client, fault)

    def _down(self, client: Client, fault: str) -> None:
        if client is not self._client:
            return
        self._client = None
        _hang_up(client)
        _end(client)
        # Only a connection that lasted counts: a broker that lets us in and throws us out, or a
        # second client with our name, must not make us come back every second.
        if self.connected and time.monotonic() - self._up_since > RETRY_MAX:
            self._failures = 0
        self._up.clear()
        self._fail(fault)

    def _fail(self, fault: str) -> None:
        if fault != self.fault:
            log.log(self._log_level, "MQTT %s: %s; trying again", self.address, fault)
        self.fault = fault
        self._retry()

    def _retry(self) -> None:
        self._retrying = True
        self._mailbox.put_later(retry_pause(self._failures), lambda: self._connect())
        self._failures += 1

    def _begin_anew(self) -> None:
        if self._client is not None:
            self._down(self._client, "a fault of ast-edge, told in the log")
        elif not self._retrying:
            self._retry()

    def _stop(self) -> None:
        self._up.clear()
        if self._client is not None:
            self._client.disconnect()
            _end(self._client)
            self._client = None


def retry_pause(failures: int) -> float:
    """Return the seconds to wait after so many failures in a row: random, at least 1.

    The random part keeps many nodes from coming back at the same instant.
    """
    return random.uniform(1.0, min(RETRY_MAX, 2.0 ** (min(failures, 10) + 1)))


def _hang_up(client: Client) -> None:
    """End a connection that may still be there: its thread would wait for acknowledgements."""
    if (open_socket := client.socket()) is None:
        return
    # By a copy of the descriptor: what paho holds may be a socket, one of TLS, or a wrapper.
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(open_socket.fileno())) as same:
        same.shutdown(socket.SHUT_RDWR)


def _end(client: Client) -> None:
    """Let a client go, with its thread and all its descriptors."""
    client.loop_stop()
    client._reset_sockets()  # paho leaves those that wake its thread to the garbage collector


def _refusal(reason: ReasonCode) -> str | None:
    return str(reason) if reason.is_failure else None
