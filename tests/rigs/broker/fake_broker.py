"""A broker that does what no real one can be made to: state limits, send nonsense, be mute."""

import contextlib
import select
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass

CONNECT, PUBLISH, SUBSCRIBE, PING, DISCONNECT = 1, 3, 8, 12, 14
LULL = 0.05
"""Seconds without a packet after which what waits is acknowledged."""


@dataclass(frozen=True)
class Published:
    """A message that has come."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    size: int
    """Bytes of the whole packet."""


@dataclass(frozen=True)
class Will:
    """The last will of a connection."""

    qos: int
    retain: bool


class FakeBroker:
    """MQTT 5 and 3.1.1 on a free port of 127.0.0.1, one connection after the other.

    It acknowledges when nothing comes for a moment, so that a client shows how much it sends at
    once; more than `receive_maximum` ends the connection as the standard wants it (0x93).
    """

    def __init__(
        self,
        *,
        properties: bytes = b"",
        receive_maximum: int = 65535,
        acknowledges: bool = True,
        greet: Callable[[Will | None], int] = lambda will: 0,
        judge: Callable[[Published], int | None] = lambda message: None,
        lull: float = LULL,
    ) -> None:
        """Take what it is like.

        Args:
            properties: of the CONNACK (MQTT 5).
            receive_maximum: messages that may wait for an acknowledgement.
            acknowledges: whether messages are acknowledged at all; pings always are.
            greet: returns the reason code of the CONNACK; not 0 refuses the client.
            judge: returns the reason code with which a message ends the connection, or None.
            lull: seconds without a packet after which what waits is acknowledged.
        """
        self.acknowledges = acknowledges
        self.published: list[Published] = []
        self.wills: list[Will | None] = []
        """Of all connections so far."""
        self.endings: list[int] = []
        """Reason codes with which it has ended connections."""
        self.most = 0
        """The most messages that have waited for an acknowledgement at once."""
        self._properties, self._receive_maximum = properties, receive_maximum
        self._greet, self._judge, self._lull = greet, judge, lull
        self.pings = 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self._client: socket.socket | None = None
        self._closing = False
        self.port = self._server.getsockname()[1]

    def __enter__(self) -> "FakeBroker":
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing = True
        self._server.shutdown(socket.SHUT_RDWR)
        if self._client:
            with contextlib.suppress(OSError):
                self._client.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._server.close()

    @property
    def connections(self) -> int:
        """How many there were, those that were refused included."""
        return len(self.wills)

    def topics(self) -> list[str]:
        """The topics of all messages so far."""
        return [message.topic for message in list(self.published)]

    def send(self, packet: bytes) -> None:
        """Send whatever this is to the client."""
        assert self._client
        self._client.sendall(packet)

    def _run(self) -> None:
        while not self._closing:
            try:
                self._client = self._server.accept()[0]
            except OSError:
                return
            with self._client as client:
                try:
                    self._serve(client)
                except (OSError, EOFError):
                    continue

    def _serve(self, client: socket.socket) -> None:
        first, body = _packet(client)
        assert first >> 4 == CONNECT
        version, flags = body[6], body[7]
        will = Will(flags >> 3 & 3, bool(flags & 0x20)) if flags & 4 else None
        self.wills.append(will)
        reason = self._greet(will)
        properties = bytes([len(self._properties)]) + self._properties if version == 5 else b""
        client.sendall(_framed(0x20, bytes([0, reason]) + properties))
        if reason:
            return
        waiting: list[bytes] = []
        while True:
            if not select.select([client], [], [], self._lull)[0]:
                for packet in waiting if self.acknowledges else ():
                    client.sendall(_framed(0x40, packet))
                if self.acknowledges and waiting:
                    waiting.clear()
                elif not self._lull:
                    select.select([client], [], [])
                continue
            first, body = _packet(client)
            kind = first >> 4
            if kind == PUBLISH:
                ending = self._take(first, body, version, waiting)
                if ending is not None:
                    self.endings.append(ending)
                    if version == 5:
                        client.sendall(_framed(0xE0, bytes([ending])))
                    return
            elif kind == SUBSCRIBE:
                tail = b"\0\1" if version == 5 else b"\1"
                client.sendall(_framed(0x90, body[:2] + tail))
            elif kind == PING:
                self.pings += 1
                client.sendall(_framed(0xD0, b""))
            elif kind == DISCONNECT:
                return

    def _take(self, first: int, body: bytes, version: int, waiting: list[bytes]) -> int | None:
        qos, length = first >> 1 & 3, struct.unpack(">H", body[:2])[0]
        topic, rest = body[2 : 2 + length].decode(), body[2 + length :]
        if qos:
            waiting.append(rest[:2])
            rest = rest[2:]
        if version == 5:
            rest = rest[1 + rest[0] :]
        size = len(_framed(first, body))
        message = Published(topic, rest, qos, bool(first & 1), size)
        self.published.append(message)
        self.most = max(self.most, len(waiting))
        if len(waiting) > self._receive_maximum:
            return 0x93
        return self._judge(message)


def publish_packet(topic: bytes, payload: bytes = b"", *, retain: bool = False) -> bytes:
    """A PUBLISH of QoS 0 for a client of MQTT 5, whatever the topic is."""
    body = struct.pack(">H", len(topic)) + topic + b"\0" + payload
    return _framed(0x31 if retain else 0x30, body)


def _packet(client: socket.socket) -> tuple[int, bytes]:
    first = _read(client, 1)
    length = shift = 0
    while True:
        digit = _read(client, 1)[0]
        length |= (digit & 127) << shift
        shift += 7
        if digit < 128:
            return first[0], _read(client, length)


def _framed(first: int, body: bytes) -> bytes:
    length, digits = len(body), bytearray()
    while True:
        length, digit = divmod(length, 128)
        digits.append(digit | (128 if length else 0))
        if not length:
            return bytes([first]) + bytes(digits) + body


def _read(client: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        if not (more := client.recv(count - len(data))):
            raise EOFError
        data += more
    return data
