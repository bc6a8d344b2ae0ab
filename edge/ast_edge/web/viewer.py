"""One browser that looks on, and what waits to be sent to it."""

import asyncio
from collections import deque

from aiohttp import web

WAITING = 240
"""Messages that may wait for a slow browser: a minute of columns and scores."""
SEND_TIMEOUT = 30.0
"""Seconds after which a browser that takes nothing is let go."""
TALKS = 100
"""Messages of a browser, of which none is expected, until it is let go."""
FULL, SLOW, CHATTY = 4008, 4009, 4010
"""Codes with which a connection is closed (of those that RFC 6455 leaves to applications)."""


class Viewer:
    """Sends in order; of what a slow browser leaves waiting, the oldest columns are dropped."""

    def __init__(self, socket: web.WebSocketResponse, source: str) -> None:
        """Take an open socket, and the source whose columns and scores are wanted."""
        self._socket, self.source = socket, source
        self.known: object = None
        """What of the labels and settings was told last; for the stage."""
        self.dropped = 0
        """Columns and scores."""
        self._waiting: deque[bytes | str] = deque()
        self._more = asyncio.Event()

    def put(self, message: bytes | str) -> None:
        """Send soon: text always, bytes if the browser is fast enough."""
        self._waiting.append(message)
        self._more.set()
        if len(self._waiting) > WAITING:
            oldest = next((n for n, m in enumerate(self._waiting) if isinstance(m, bytes)), 0)
            del self._waiting[oldest]
            self.dropped += 1

    async def serve(self) -> None:
        """Send until the browser goes, or does not take anything any more."""
        sender = asyncio.ensure_future(self._send())
        listener = asyncio.ensure_future(self._listen())
        try:
            await asyncio.wait((sender, listener), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sender, listener):
                task.cancel()
            await asyncio.gather(sender, listener, return_exceptions=True)

    async def close(self, code: int, reason: str) -> None:
        """Say goodbye."""
        await self._socket.close(code=code, message=reason.encode())

    async def _listen(self) -> None:
        """Take what the browser says, which is nothing but that it is there."""
        said = 0
        async for _ in self._socket:
            said += 1
            if said > TALKS:
                await self.close(CHATTY, "nothing is expected")

    async def _send(self) -> None:
        while True:
            await self._more.wait()
            self._more.clear()
            while self._waiting:
                message = self._waiting.popleft()
                try:
                    await asyncio.wait_for(self._say(message), SEND_TIMEOUT)
                except (ConnectionError, TimeoutError, asyncio.TimeoutError):
                    return

    async def _say(self, message: bytes | str) -> None:
        if isinstance(message, str):
            await self._socket.send_str(message)
        else:
            await self._socket.send_bytes(message)
