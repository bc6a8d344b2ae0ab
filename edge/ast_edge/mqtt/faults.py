"""What is wrong with a broker, in plain words and with what to do about it."""

import socket
import ssl
from collections.abc import Sequence

from paho.mqtt.client import WebsocketConnectionError
from paho.mqtt.reasoncodes import ReasonCode

from ast_edge.mqtt.config import MqttConfig
from ast_edge.mqtt.message import Message

# Reason codes of MQTT 5, 2.4; paho translates those of 3.1.1 into them.
CONNECTION_LOST = 0x80
PROTOCOL_ERROR = 0x82
UNSUPPORTED_PROTOCOL = 0x84
BAD_CLIENT_ID = 0x85
BAD_USER_OR_PASSWORD = 0x86
NOT_AUTHORIZED = 0x87
BANNED = 0x8A
KEEP_ALIVE_TIMEOUT = 0x8D
TAKEN_OVER = 0x8E
RECEIVE_MAXIMUM_EXCEEDED = 0x93
PACKET_TOO_LARGE = 0x95
RETAIN_NOT_SUPPORTED = 0x9A
QOS_NOT_SUPPORTED = 0x9B

ADVICE = {
    0x81: "is it a broker of this mqtt.protocol?",
    0x82: "is it a broker of this mqtt.protocol?",
    0x88: "it is not ready yet",
    0x89: "it has too much to do; if that lasts, ask who runs it",
    BANNED: "it has banned this client: see its list of bans",
    0x8B: "it is being shut down",
    KEEP_ALIVE_TIMEOUT: "it has heard nothing of us in time: is the network slow, or this machine?",
    0x8F: "it does not take our topics: does another mqtt.base_topic help?",
    0x90: "it does not take our topics: does another mqtt.base_topic help?",
    RECEIVE_MAXIMUM_EXCEEDED: "it gets fewer messages at once from now on",
    PACKET_TOO_LARGE: "what is so large is left out from now on; let it take larger packets",
    0x96: "it takes fewer messages in a time: report fewer labels, or let it take more",
    0x97: "a quota of this user is used up: raise it there",
    0x98: "who runs it has ended the connection",
    RETAIN_NOT_SUPPORTED: "it gets no retained messages from now on",
    QOS_NOT_SUPPORTED: "it gets messages of QoS 0 from now on",
    0x9C: "set mqtt.host to the other server",
    0x9D: "set mqtt.host to the other server",
    0x9F: "it takes fewer connections in a time",
    0xA0: "it lets nobody stay longer",
}
"""What to do about a reason with which a broker refuses or ends a connection."""

FOR_GOOD = frozenset(
    {UNSUPPORTED_PROTOCOL, BAD_CLIENT_ID, BAD_USER_OR_PASSWORD, NOT_AUTHORIZED, BANNED, 0x8C}
)
"""Reasons of a refusal that stays until somebody changes something, however often one asks."""

SHORT = 30.0
"""Seconds; two clients of one name that come back after `retry_pause` take over sooner."""
REPEATED = 3
"""So many short connections in a row, the broker there all the time, are no accident."""


def unreachable(exc: BaseException | None, config: MqttConfig) -> str:
    """Say why no connection could be opened."""
    match exc:
        case socket.gaierror():
            return f"the host name {config.host!r} cannot be resolved: {exc.strerror}"
        case ssl.SSLCertVerificationError():
            return (
                f"the broker's certificate is not trusted: {exc.verify_message}; "
                "mqtt.tls.ca names the authority to trust, mqtt.host the name in the certificate"
            )
        case ssl.SSLError():
            return f"no TLS connection: {exc.reason or exc}; is this the broker's TLS port?"
        case ConnectionResetError() if config.tls is not None:
            return "no TLS connection: the broker hung up; is this its TLS port?"
        case WebsocketConnectionError():
            return (
                "no websocket: does the broker take websockets at this port, and is mqtt.path "
                "right?"
            )
        case ConnectionRefusedError():
            return "connection refused: no broker listens there"
        case TimeoutError():
            return "the broker does not answer (timed out)"
        case OSError():
            return f"no connection: {exc.strerror or exc}"
    return f"no connection: {exc}"


def refused(reason: ReasonCode, config: MqttConfig) -> str:
    """Say why the broker answered but did not let us in."""
    if reason.value in (BAD_USER_OR_PASSWORD, NOT_AUTHORIZED):
        if config.username is None:
            return (
                f"the broker wants a user name and password: {reason}; "
                "set mqtt.username and mqtt.password_file"
            )
        return f"the broker refused the user name or password: {reason} (user {config.username})"
    if reason.value == UNSUPPORTED_PROTOCOL:
        return f"the broker does not speak MQTT {config.protocol}: set the other mqtt.protocol"
    if reason.value == BAD_CLIENT_ID:
        return (
            f"the broker refused our client id: {reason}; let it take ids that begin with "
            "ast-edge-, or another `node`"
        )
    return f"the broker refused the connection: {_advised(reason)}"


def senseless(exc: BaseException) -> str:
    """Say that what the broker has sent cannot be understood."""
    return f"the broker has sent something that is no MQTT ({type(exc).__name__}: {exc})"


def lost(
    reason: ReasonCode,
    config: MqttConfig,
    *,
    by_broker: bool,
    accepted: bool,
    short: int,
    unanswered: Sequence[Message] = (),
) -> str:
    """Say why an open connection has ended.

    `accepted` tells whether the broker had let us in, `short` how many such connections in a row
    have lasted less than SHORT seconds, this one included, and `unanswered` what it has not
    acknowledged, in order.
    """
    if reason.value == TAKEN_OVER:
        return "another client with our name took over: does a second machine have the same node?"
    if by_broker and reason.value == NOT_AUTHORIZED and unanswered:
        return f"the broker ended the connection: {reason}; may this user {_write(unanswered)}?"
    if by_broker:
        return f"the broker ended the connection: {_advised(reason)}"
    if reason.value == KEEP_ALIVE_TIMEOUT:
        return "no sign of life from the broker"
    if accepted and reason.value == PROTOCOL_ERROR:  # found by us: we have hung up
        return "the broker has sent something that is no MQTT"
    if not accepted:
        # In TLS 1.3 we are done with the handshake before the broker looks at our certificate.
        if config.tls is None:
            guess = "wrong port, protocol, transport or TLS setting?"
        elif config.tls.certificate is None:
            guess = "does it want a client certificate (mqtt.tls.certificate)?"
        else:
            guess = "does it not accept the client certificate (mqtt.tls.certificate)?"
        return f"the broker hung up without an answer: {guess}"
    if short >= REPEATED and unanswered:
        return (
            "the broker hangs up again and again while messages are sent: may this user "
            f"{_write(unanswered)}, and are messages of that size allowed?"
        )
    if short >= REPEATED:
        # Mosquitto before 2.1 and every broker of MQTT 3.1.1 take over without a word.
        return "the connection is lost again and again: does a second machine have the same node?"
    return "the connection was lost"


def mute(seconds: float) -> str:
    """Say that the broker answers pings, and nothing else."""
    return f"the broker has not acknowledged anything for {seconds:.0f} s, though it answers pings"


def hung_up_on(message: Message) -> str:
    """Say that a message is left out, because the broker hangs up whenever it gets it."""
    return f"hangs up whenever it gets {_shown(message)}, which is left out from now on"


def too_large(message: Message, limit: int | None) -> str:
    """Say that a message is left out, because the broker does not take one of its size."""
    largest = "" if limit is None else f" of more than {limit} bytes"
    return f"takes no packets{largest}: {_shown(message)} is left out; let it take larger ones"


def _advised(reason: ReasonCode) -> str:
    advice = ADVICE.get(reason.value)
    return f"{reason}; {advice}" if advice else str(reason)


def _write(unanswered: Sequence[Message]) -> str:
    return f"write to {_shown(unanswered[0])}"


def _shown(message: Message) -> str:
    return f"{message.topic} ({len(message.payload.encode())} bytes)"
