"""What a broker takes: what it states when it lets us in, and what its refusals teach."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from paho.mqtt.properties import Properties

from ast_edge.mqtt import faults as mqtt_faults
from ast_edge.mqtt.message import Message

WINDOW = 20
"""Messages on their way at once; the next is sent when the broker has acknowledged one."""
OVERHEAD = 16
"""Bytes of a packet beside topic and payload, at most: headers, packet id, the expiry."""
SUSPICIOUS = 2
"""After so many short connections in a row messages go one at a time, to find the one at fault;
one that was on its way alone so often when the broker hung up is left out."""
ACCIDENTS = 5
"""The same, where all before that message had been acknowledged: a broker that restarts hangs up on
whatever is on its way, and there are not many different states."""


@dataclass(frozen=True)
class Limits:
    """What a broker takes; unless told otherwise, all."""

    receive_maximum: int = 65535
    """Messages that may wait for its acknowledgement."""
    maximum_packet_size: int | None = None
    """Bytes."""
    maximum_qos: int = 2
    retain: bool = True
    """Whether it keeps retained messages."""
    session_expiry: int | None = None
    """Seconds that it keeps a session, where it is not what we have asked for."""

    @property
    def window(self) -> int:
        """Messages that may be on their way at once."""
        return min(WINDOW, self.receive_maximum)

    def fits(self, message: Message) -> bool:
        """Tell whether the broker takes a message of this size."""
        return self.maximum_packet_size is None or size(message) <= self.maximum_packet_size

    def adapt(self, message: Message) -> Message:
        """Return the message as the broker takes it: without the retain flag or QoS 1 perhaps."""
        return replace(
            message,
            retain=message.retain and self.retain,
            qos=0 if self.maximum_qos == 0 else message.qos,
        )

    def sentences(self) -> Iterator[str]:
        """Say what we have to go on without."""
        if not self.retain:
            yield (
                "keeps no retained messages: states are told every minute instead; let it keep "
                "them, so that they are known at once"
            )
        if self.maximum_qos == 0:
            yield (
                "takes messages of QoS 0 only: events may be lost with a connection; let it take "
                "QoS 1"
            )

    def __and__(self, other: "Limits") -> "Limits":
        """Return the narrower of both."""
        sizes = [x.maximum_packet_size for x in (self, other) if x.maximum_packet_size is not None]
        return Limits(
            min(self.receive_maximum, other.receive_maximum),
            min(sizes, default=None),
            min(self.maximum_qos, other.maximum_qos),
            self.retain and other.retain,
            self.session_expiry,
        )


def read_limits(properties: Properties | None) -> Limits:
    """Read what a broker states in its CONNACK (MQTT 5, 3.2.2.3); 3.1.1 states nothing."""

    def stated(name: str, default: int | None) -> int | None:
        value = getattr(properties, name, None)
        return default if value is None else int(value)

    return Limits(
        receive_maximum=stated("ReceiveMaximum", 65535) or 1,
        maximum_packet_size=stated("MaximumPacketSize", None),
        maximum_qos=stated("MaximumQoS", 2) or 0,
        retain=stated("RetainAvailable", 1) != 0,
        session_expiry=stated("SessionExpiryInterval", None),
    )


class BrokerLimits:
    """The limits of one broker, over all connections to it."""

    def __init__(self) -> None:
        self.present = Limits()
        """What was stated last, and learned so far."""
        self._learned = Limits()
        self._suspected = 0
        self._suspect: tuple[str, str] | None = None
        self._hangups = 0  # in a row while the suspect was on its way alone
        self._left_out: set[tuple[str, str]] = set()

    @property
    def window(self) -> int:
        """Messages that may be on their way at once."""
        return 1 if self._suspected >= SUSPICIOUS else self.present.window

    def takes(self, message: Message) -> bool:
        """Tell whether a message is not left out."""
        return self.present.fits(message) and _key(message) not in self._left_out

    def stated(self, properties: Properties | None) -> None:
        """Take what the broker states when it lets us in."""
        self.present = read_limits(properties) & self._learned

    def refused(self, reason: int, unanswered: Sequence[Message] = ()) -> None:
        """Learn from the reason code with which the broker has refused or ended a connection."""
        learned = self._learned
        if reason == mqtt_faults.RETAIN_NOT_SUPPORTED:
            learned = replace(learned, retain=False)
        elif reason == mqtt_faults.QOS_NOT_SUPPORTED:
            learned = replace(learned, maximum_qos=0)
        elif reason == mqtt_faults.RECEIVE_MAXIMUM_EXCEEDED:
            learned = replace(learned, receive_maximum=max(1, self.window // 2))
        elif reason == mqtt_faults.PACKET_TOO_LARGE and unanswered:
            largest = max(map(size, unanswered))
            learned = replace(learned, maximum_packet_size=largest - 1)
        self._learned = learned & self._learned
        self.present = self.present & self._learned

    def hung_up(
        self, unanswered: Sequence[Message], short: int, *, settled: bool = False
    ) -> Message | None:
        """Take that the broker hung up without a reason, and return what is left out from now on.

        One of MQTT 3.1.1 has no other word for a message that it does not take.

        Args:
            unanswered: what it has not acknowledged, in order.
            short: so many connections in a row were as short as this.
            settled: whether it had acknowledged all that there was, at some time before.
        """
        one = short > SUSPICIOUS and self.window == 1 and len(unanswered) == 1
        alone = unanswered[0] if one else None
        self._suspected = short if unanswered else 0
        before, self._suspect = self._suspect, _key(alone) if alone else None
        self._hangups = self._hangups + 1 if self._suspect == before else 1
        if alone and self._hangups >= (ACCIDENTS if settled else SUSPICIOUS):
            self._left_out.add(_key(alone))
            return alone
        return None

    def lasted(self) -> None:
        """Take that a connection has lasted, so that nothing is suspected any more."""
        self._suspected = 0


def size(message: Message) -> int:
    """Return the bytes of a message's packet, at most."""
    return len(message.topic.encode()) + len(message.payload.encode()) + OVERHEAD


def _key(message: Message) -> tuple[str, str]:
    return message.topic, message.payload
