"""A node that has nothing but its MQTT: what it says is what a daemon says, and so are its pauses.

One process holds a thousand of them, which no thousand daemons could share a machine with.
"""

import asyncio
import contextlib
import random
import struct
import time
from collections.abc import Callable, Sequence

from ast_edge.mqtt.connection import retry_pause
from ast_edge.mqtt.message import Message

KEEPALIVE = 30
_CONNACK, _PUBACK = 2, 4


class LightNode:
    """Connects, says what is retained, then events now and then; comes back when it is cut off."""

    def __init__(
        self,
        port: int,
        client: str,
        will: Message,
        greeting: Sequence[Message],
        event: Callable[[], Sequence[Message]],
        event_seconds: float,
    ) -> None:
        """Take what it says at every connection, and with which pauses it says more."""
        self._port, self._client, self._will = port, client, will
        self._greeting, self._event, self._event_seconds = greeting, event, event_seconds
        self._unacknowledged = 0
        self._packet = 0
        self.attempts: list[float] = []
        """Monotonic seconds of every attempt to connect."""
        self.greeted_at = 0.0
        """When the broker had acknowledged all that is said at the newest connection."""
        self.sent = 0
        """Messages, all in all."""

    async def run(self) -> None:
        """Go on for ever."""
        failures = 0
        while True:
            self.attempts.append(time.monotonic())
            began = time.monotonic()
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self._connect()
            # As a `Connection` does: only one that lasted begins to count anew.
            failures = 0 if time.monotonic() - began > 30 else failures
            await asyncio.sleep(retry_pause(failures))
            failures += 1

    async def _connect(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        talk = None
        try:
            writer.write(self._hello())
            kind, _ = await _packet(reader)
            if kind != _CONNACK:
                raise OSError("the broker does not let us in")
            for message in self._greeting:
                self._publish(writer, message)
            talk = asyncio.create_task(self._talk(writer))
            while True:
                kind, _ = await _packet(reader)
                if kind == _PUBACK:
                    self._unacknowledged -= 1
                    if not self._unacknowledged and self.greeted_at < self.attempts[-1]:
                        self.greeted_at = time.monotonic()
        finally:
            if talk:
                talk.cancel()
            self._unacknowledged = 0
            writer.close()

    async def _talk(self, writer: asyncio.StreamWriter) -> None:
        pause = random.uniform(0, self._event_seconds)
        while True:
            await asyncio.sleep(pause)
            for message in self._event():
                self._publish(writer, message)
            writer.write(b"\xc0\x00")  # PINGREQ
            pause = self._event_seconds

    def _publish(self, writer: asyncio.StreamWriter, message: Message) -> None:
        self.sent += 1
        head = _text(message.topic)
        if message.qos:
            self._packet = self._packet % 65535 + 1
            head += struct.pack(">H", self._packet)
            self._unacknowledged += 1
        body = head + message.payload.encode()
        writer.write(bytes([0x30 | message.qos << 1 | message.retain]) + _length(len(body)) + body)

    def _hello(self) -> bytes:
        flags = 0x02 | 0x04 | 1 << 3 | 0x20  # clean session; a will of QoS 1 that is retained
        body = _text("MQTT") + bytes([4, flags]) + struct.pack(">H", KEEPALIVE)
        body += _text(self._client) + _text(self._will.topic) + _text(self._will.payload)
        return b"\x10" + _length(len(body)) + body


async def _packet(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Read a packet: its kind and what follows."""
    kind = (await reader.readexactly(1))[0] >> 4
    length, shift = 0, 0
    while True:
        byte = (await reader.readexactly(1))[0]
        length |= (byte & 0x7F) << shift
        if byte < 0x80:
            return kind, await reader.readexactly(length)
        shift += 7


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack(">H", len(data)) + data


def _length(length: int) -> bytes:
    found = b""
    while True:
        length, byte = length >> 7, length & 0x7F
        found += bytes([byte | (0x80 if length else 0)])
        if not length:
            return found
