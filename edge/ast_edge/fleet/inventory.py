"""All nodes of a broker, by what they have left there and go on to say."""

import logging
import re
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from ast_edge.base.errors import BrokerError, ConfigError
from ast_edge.fleet.info import NodeInfo, parse_info
from ast_edge.fleet.pointer import Pointer, PointerRefused, parse_pointer
from ast_edge.fleet.update_status import UpdateStatus, parse_status
from ast_edge.mqtt.config import MqttConfig
from ast_edge.mqtt.connection import Connection
from ast_edge.mqtt.message import Message
from ast_edge.mqtt.topics import Topics

QUIET_SECONDS = 0.05
"""Once nothing retained has come for so long, the broker is asked whether that was all."""
ANSWER_SECONDS = 10.0
"""Time that a broker has to let us in, and to answer."""
LONGEST_SECONDS = 60.0
"""At most so long what is retained is waited for, as it comes."""


@dataclass(frozen=True)
class NodeState:
    """A node, as far as it is known at the broker."""

    name: str
    online: bool | None = None
    """None if it has never said."""
    info: NodeInfo | None = None
    strange: bool = False
    """Whether it says something of itself that this ast-edge does not understand."""
    update: UpdateStatus | None = None
    """How far its update is; None where it follows no pointers."""
    desired: Pointer | None = None
    """The one that is left to it alone; None if there is none, or it is not understood."""

    @property
    def stale(self) -> bool:
        """Whether what is known of it is of another time: it is away, or never said who it is."""
        return not self.online or self.info is None

    def has_bundle(self, wanted: str) -> bool:
        """Tell whether it listens with a bundle, by name or by the beginning of its sum."""
        bundles = self.info.bundles if self.info else ()
        return any(b.name == wanted or _begins(b.sha256, wanted) for b in bundles)


def _begins(sha256: str, wanted: str) -> bool:
    return re.fullmatch(r"[0-9a-fA-F]{4,64}", wanted) is not None and sha256.startswith(
        wanted.lower()
    )


Changed = Callable[[NodeState, NodeState], None]
"""Told of a node before and after, in the connection's thread."""


class Inventory:
    """Reads what the nodes below a base topic have retained; a client of its own.

    Raises:
        ConfigError: the broker of the configuration cannot be used.
    """

    def __init__(self, config: MqttConfig, changed: Changed = lambda before, after: None) -> None:
        """Prepare to connect; `changed` is told of every change."""
        if config.embedded:
            raise ConfigError(
                "mqtt.embedded: a broker of one daemon alone has no fleet; give the address of "
                "the fleet's (--broker)"
            )
        self._base, self._changed_node = config.base_topic, changed
        every = Topics(config.base_topic, "+")
        self._filters = [every.availability, every.info, every.update, every.desired]
        self._filters.append(every.desired_of_all)
        self._unanswered = set(self._filters)
        self._refusal = ""
        self._nodes: dict[str, NodeState] = {}
        self.desired: Pointer | None = None
        """The pointer that is left to all nodes; None if there is none, or it is not understood."""
        self._acknowledged: dict[int, str | None] = {}  # refusals by packet
        self._newest = 0.0
        self._changed = threading.Condition()
        self._connection = Connection(
            config,
            f"ast-edge-fleet-{secrets.token_hex(4)}",
            on_up=self._subscribe,
            on_acknowledged=self._acknowledge,
            on_subscribed=self._subscribed,
            on_message=self._hear,
            log_level=logging.DEBUG,
        )

    def __enter__(self) -> "Inventory":
        self._connection.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    @property
    def fault(self) -> str:
        """Why there is no connection; empty while there is one."""
        return self._connection.fault

    def read(self) -> dict[str, NodeState]:
        """Return all nodes, by name, once everything that is retained has come.

        Raises:
            BrokerError: the broker does not answer, or lets nobody read this.
        """
        with self._changed:
            answered = self._changed.wait_for(
                lambda: self._refusal or not self._unanswered, ANSWER_SECONDS
            )
            if self._refusal or not answered:
                reason = self._refusal or self._connection.fault or "the broker does not answer"
                raise BrokerError(f"{self._connection.address}: {reason}")
            until = time.monotonic() + LONGEST_SECONDS
            while time.monotonic() < until and not self._is_all():
                pass
            return dict(sorted(self._nodes.items()))

    def _is_all(self) -> bool:
        """Tell whether all that is retained has come; called with the lock.

        What we have acknowledged lets the broker send the next, and it answers in order: if nothing
        came before the answer to a question that was asked after that, nothing more will come.
        """
        while (left := self._newest + QUIET_SECONDS - time.monotonic()) > 0:
            self._changed.wait(left)
        newest, probe = self._newest, f"{self._base}/{secrets.token_hex(8)}"
        self._unanswered.add(probe)
        self._connection.submit(lambda: self._connection.subscribe(probe))
        if not self._changed.wait_for(lambda: probe not in self._unanswered, ANSWER_SECONDS):
            raise BrokerError(f"{self._connection.address}: the broker does not answer any more")
        return newest == self._newest

    def wait_for(
        self, condition: Callable[[Mapping[str, NodeState]], bool], timeout: float
    ) -> bool:
        """Wait until the nodes are so, and return whether they are."""
        with self._changed:
            return self._changed.wait_for(lambda: condition(self._nodes), timeout)

    def publish(self, messages: Sequence[Message]) -> None:
        """Publish messages, and return when the broker has them.

        Raises:
            BrokerError: it refuses one, or does not answer.
        """
        packets: list[int | None] = []

        def send() -> None:
            sent = [self._connection.publish(message) for message in messages]
            with self._changed:
                packets.extend(sent)
                self._changed.notify_all()

        def answered() -> bool:
            return len(packets) == len(messages) and set(packets) <= {None, *self._acknowledged}

        self._connection.submit(send)
        with self._changed:
            if not self._changed.wait_for(answered, ANSWER_SECONDS) or None in packets:
                reason = self._connection.fault or "it does not acknowledge what is published"
                raise BrokerError(f"{self._connection.address}: {reason}")
            for message, packet in zip(messages, packets, strict=True):
                if packet is not None and (refusal := self._acknowledged[packet]):
                    raise BrokerError(
                        f"{self._connection.address}: it does not let us publish to "
                        f"{message.topic}: {refusal}"
                    )

    def _acknowledge(self, packet: int, refusal: str | None) -> None:
        with self._changed:
            self._acknowledged[packet] = refusal
            self._changed.notify_all()

    def _subscribe(self) -> None:
        for topic_filter in self._filters:
            self._connection.subscribe(topic_filter)

    def _subscribed(self, topic_filter: str, refusal: str | None) -> None:
        with self._changed:
            if refusal is not None and topic_filter in self._filters:
                self._refusal = f"it does not let us subscribe to {topic_filter}: {refusal}"
            self._unanswered.discard(topic_filter)
            self._changed.notify_all()

    def _hear(self, topic: str, payload: bytes, retained: bool) -> None:
        name, _, what = topic.removeprefix(f"{self._base}/").partition("/")
        with self._changed:
            if retained:
                self._newest = time.monotonic()
            if not what:  # of no node
                self.desired = _pointer(payload)
                return
            before = self._nodes.get(name, NodeState(name))
            after = _after(before, what, payload)
            if after == NodeState(name):  # all that it had left has been taken away
                self._nodes.pop(name, None)
            else:
                self._nodes[name] = after
            self._changed.notify_all()
        if after != before:
            self._changed_node(before, after)


def _after(before: NodeState, what: str, payload: bytes) -> NodeState:
    """Return what is known of a node when it has said something more; nothing takes it away."""
    if what == "availability":
        return replace(before, online=payload == b"online" if payload else None)
    if what == "update":
        return replace(before, update=parse_status(payload) if payload else None)
    if what == "desired":
        return replace(before, desired=_pointer(payload))
    info = parse_info(payload) if payload else None
    return replace(before, info=info, strange=bool(payload) and info is None)


def _pointer(payload: bytes) -> Pointer | None:
    try:
        return parse_pointer(payload) if payload else None
    except PointerRefused:
        return None
