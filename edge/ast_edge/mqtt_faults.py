"""What is wrong with a broker, in plain words and with what to do about it."""

import socket
import ssl

from paho.mqtt.reasoncodes import ReasonCode

from ast_edge.config import MqttConfig

# Reason codes of MQTT 5; paho translates those of 3.1.1 into them.
UNSUPPORTED_PROTOCOL = 0x84
BAD_USER_OR_PASSWORD = 0x86
NOT_AUTHORIZED = 0x87
KEEP_ALIVE_TIMEOUT = 0x8D
TAKEN_OVER = 0x8E

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
    return f"the broker refused the connection: {reason}"


def senseless(exc: BaseException) -> str:
    """Say that what the broker has sent cannot be understood."""
    return f"the broker has sent something that is no MQTT ({type(exc).__name__}: {exc})"


def lost(
    reason: ReasonCode, config: MqttConfig, *, by_broker: bool, accepted: bool, short: int
) -> str:
    """Say why an open connection has ended.

    `accepted` tells whether the broker had let us in, `short` how many such connections in a row
    have lasted less than SHORT seconds, this one included.
    """
    if reason.value == TAKEN_OVER:
        return "another client with our name took over: does a second machine have the same node?"
    if by_broker:
        return f"the broker ended the connection: {reason}"
    if reason.value == KEEP_ALIVE_TIMEOUT:
        return "no sign of life from the broker"
    if not accepted:
        # In TLS 1.3 we are done with the handshake before the broker looks at our certificate.
        if config.tls is None:
            guess = "wrong port, protocol or TLS setting?"
        elif config.tls.certificate is None:
            guess = "does it want a client certificate (mqtt.tls.certificate)?"
        else:
            guess = "does it not accept the client certificate (mqtt.tls.certificate)?"
        return f"the broker hung up without an answer: {guess}"
    if short >= REPEATED:
        # Mosquitto before 2.1 and every broker of MQTT 3.1.1 take over without a word.
        return "the connection is lost again and again: does a second machine have the same node?"
    return "the connection was lost"
