"""Viewers of the page, who take what they are sent as fast as it comes.

    python -m parts.daemon.audience HOST:PORT TOKEN SOURCE VIEWERS

lets so many look on until standard input ends.
"""

import asyncio
import sys
import threading

import aiohttp


class Audience:
    """Viewers in a thread of their own."""

    def __init__(self, address: str, token: str, source: str, viewers: int) -> None:
        """Look at a source on the page at HOST:PORT, at once."""
        self.received = 0
        """Bytes."""
        self._address, self._token, self._source = f"http://{address}", token, source
        self._viewers = viewers
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def leave(self) -> None:
        """Go away.

        Raises:
            SystemExit: nothing was sent.
        """
        if self._viewers and not self.received:
            raise SystemExit("the page has sent nothing")
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        tasks = [self._loop.create_task(self._look()) for _ in range(self._viewers)]
        self._loop.run_forever()
        for task in tasks:
            task.cancel()
        if tasks:
            self._loop.run_until_complete(asyncio.wait(tasks))
        self._loop.close()

    async def _look(self) -> None:
        head = {"X-Ast-Edge": "1"}
        jar = aiohttp.CookieJar(unsafe=True)  # which takes cookies of an address
        async with aiohttp.ClientSession(self._address, headers=head, cookie_jar=jar) as own:
            async with own.post("/api/login", json={"token": self._token}) as answer:
                answer.raise_for_status()
            async with own.ws_connect(f"/api/live?source={self._source}") as socket:
                async for message in socket:
                    self.received += len(message.data)


def main(address: str, token: str, source: str, viewers: str) -> None:
    """Look on until standard input ends."""
    audience = Audience(address, token, source, int(viewers))
    sys.stdin.read()
    audience.leave()


if __name__ == "__main__":
    main(*sys.argv[1:])
