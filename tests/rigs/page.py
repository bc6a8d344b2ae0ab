"""A daemon with the tiny model and a page, in this process; and a browser that looks at it."""

import asyncio
import contextlib
import http.client
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from aiohttp import web
from rigs.broker.mosquitto import wait_until
from rigs.daemon_parts import NumpyEngine
from rigs.model import RATE

from ast_edge.app.plan import load_plan
from ast_edge.app.reload import Reload
from ast_edge.app.report import make_report
from ast_edge.app.service import Service
from ast_edge.audio.stream import Block, Stream
from ast_edge.web.page import Page

CHROMIUM = Path("/usr/bin/chromium")
TOKEN = "a token of the tests"
TIMEOUT = 30.0


class Faucet:
    """A source that gives what it is told, when it is told; live, by the wall clock."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.streams = 0
        self._stream: Stream | None = None
        self._position = 0
        self._blocks: list[Block] = []
        self._more = threading.Condition()
        self._closed = False

    def pour(self, sound: np.ndarray, *, gap: bool = False) -> float:
        """Give sound at once, whose last sample was just now; return the time of its first."""
        with self._more:
            if self._stream is None or gap:
                started = time.time() - len(sound) / RATE
                self._stream = Stream(self.name, RATE, 1, started, live=False)
                self._position = 0
            begins = self._stream.started_at + self._position / RATE
            for start in range(0, len(sound), RATE // 10):
                part = sound[start : start + RATE // 10].astype(np.float32)[:, None]
                self._blocks.append(Block(self._stream, self._position, part))
                self._position += len(part)
            self._more.notify()
        return begins

    def blocks(self) -> Iterator[Block]:
        """Yield what is poured."""
        while True:
            with self._more:
                self._more.wait_for(lambda: self._blocks or self._closed)
                if self._closed:
                    return
                block = self._blocks.pop(0)
            yield block

    def close(self) -> None:
        """End it."""
        with self._more:
            self._closed = True
            self._more.notify()


class House:
    """The parts of `ast-edge run`, with sources that are poured."""

    def __init__(self, folder: Path, bundle: Path, *, web: object = None, **more: object) -> None:
        """Begin; `web` is its section of the configuration."""
        listen = {"listen": "127.0.0.1:0", "token": TOKEN}
        section = listen | web if isinstance(web, dict) else listen if web is None else web
        tree = {
            "node": "attic",
            "bundle": str(bundle),
            "sources": {"hall": {"stdin": "s16le", "sample_rate": RATE}},
            "hop": 0.2,
            "web": section,
        } | more
        self.path = folder / "c.yaml"
        self.path.write_text(json.dumps(tree))
        plan = load_plan(self.path)
        self.reload = Reload(self.path)
        self.service = Service(plan, {b.folder: NumpyEngine() for b in plan.bundles})
        self.faucets = {name: Faucet(name) for name in plan.config.sources}
        self.hall = self.faucets[next(iter(self.faucets))]
        readers = self.service.daemon._readers
        for name, faucet in self.faucets.items():
            readers[name] = type(readers[name])(faucet, self.service.daemon._inbox)
        self.service.open_outputs()
        self.page = Page(self.service, lambda: make_report(self.service, self.reload))
        self._thread = threading.Thread(target=self.service.daemon.run)
        self._thread.start()
        if self.page.server:
            wait_until(lambda: self.page.server.port is not None, TIMEOUT)

    @property
    def port(self) -> int:
        """Of the page."""
        assert self.page.server
        assert self.page.server.port
        return self.page.server.port

    @property
    def address(self) -> str:
        """Of the page, with a slash at its end."""
        return f"http://127.0.0.1:{self.port}/"

    def act(self) -> None:
        """Wait until the daemon's thread has done what it was asked for."""
        assert self.service.daemon.perform(list)

    def close(self) -> None:
        """End it all."""
        self.page.close()
        self.service.daemon.stop()
        for faucet in self.faucets.values():
            faucet.close()
        self._thread.join(TIMEOUT)
        assert not self._thread.is_alive()
        self.service.close()


@contextlib.contextmanager
def browser() -> Iterator[object]:
    """Yield Debian's chromium, driven by playwright; skip the test where either is not there."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip("chromium is not installed")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"]
        )
        try:
            yield chromium
        finally:
            chromium.close()


class Visitor:
    """Asks for things by HTTP, as somebody who knows the token or does not."""

    def __init__(self, house: House, **headers: str) -> None:
        self._house = house
        self.headers = {"X-Ast-Edge": "1", **headers}

    def log_in(self, token: str = TOKEN) -> "Visitor":
        """Exchange the token for a cookie."""
        status, head, text = self.ask("POST", "api/login", {"token": token})
        assert status == 200, text
        self.headers["Cookie"] = head["Set-Cookie"].split(";")[0]
        return self

    def ask(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> tuple[int, dict[str, str], str]:
        """Return the status, the head and the text of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self._house.port, timeout=TIMEOUT)
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, f"/{path}", content, self.headers | headers)
            answer = connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
            return answer.status, dict(answer.getheaders()), text
        finally:
            connection.close()

    def get(self, path: str) -> Any:
        """Return what an answer holds."""
        status, _, text = self.ask("GET", path)
        assert status == 200, text
        return json.loads(text)


class Watcher:
    """Looks on over a websocket, in a thread of its own, and remembers what it is shown."""

    def __init__(self, house: House, visitor: Visitor, source: str = "hall", **headers: str):
        self.texts: list[dict[str, Any]] = []
        self.columns: list[bytes] = []
        self.scores: list[bytes] = []
        self.closed: int | None = None
        self.refused: int | None = None
        self._leave = threading.Event()
        self._url = f"ws://127.0.0.1:{house.port}/api/live?source={source}"
        self._headers = visitor.headers | headers
        self._thread = threading.Thread(target=lambda: asyncio.run(self._watch()), daemon=True)
        self._thread.start()
        wait_until(lambda: self.texts or self.closed or self.refused, TIMEOUT)

    async def _watch(self) -> None:
        async with aiohttp.ClientSession(headers=self._headers) as session:
            try:
                async with session.ws_connect(self._url) as socket:
                    while not self._leave.is_set():
                        with contextlib.suppress(asyncio.TimeoutError):
                            self._take(await asyncio.wait_for(socket.receive(), 0.05))
                        if socket.closed:
                            self.closed = socket.close_code
                            return
            except aiohttp.WSServerHandshakeError as fault:
                self.refused = fault.status

    def _take(self, message: aiohttp.WSMessage) -> None:
        if message.type is aiohttp.WSMsgType.TEXT:
            self.texts.append(json.loads(message.data))
        elif message.type is aiohttp.WSMsgType.BINARY:
            (self.columns if message.data[0] == 1 else self.scores).append(message.data)

    def told(self, kind: str) -> list[dict[str, Any]]:
        """Return the messages of a kind."""
        return [text for text in list(self.texts) if text["type"] == kind]

    def leave(self) -> None:
        """Go away."""
        self._leave.set()
        self._thread.join(TIMEOUT)


class IngressProxy:
    """Passes everything on below a prefix, as Home Assistant's ingress does, and compresses it."""

    PREFIX = "/api/hassio_ingress/abc"

    def __init__(self, house: House) -> None:
        self._house = house
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self.port = 0
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "IngressProxy":
        self._thread.start()
        assert self._ready.wait(TIMEOUT)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(TIMEOUT)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._open())
        self._loop.run_forever()
        self._loop.run_until_complete(self._session.close())
        self._loop.run_until_complete(self._runner.cleanup())
        self._loop.close()

    async def _open(self) -> None:
        self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        app = web.Application()
        app.router.add_route("*", self.PREFIX + "/{path:.*}", self._pass)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        self._ready.set()

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        url = f"{self._house.address}{request.match_info['path']}"
        kept = {"Host", "Cookie", "Content-Type", "X-Ast-Edge", "Origin"}
        head = {k: v for k, v in request.headers.items() if k in kept}
        if "Upgrade" in request.headers:
            here = web.WebSocketResponse()
            await here.prepare(request)
            async with self._session.ws_connect(
                url, headers=head, params=request.query, compress=15
            ) as there:
                async for message in there:
                    if message.type is aiohttp.WSMsgType.TEXT:
                        await here.send_str(message.data)
                    else:
                        await here.send_bytes(message.data)
            return here
        body = await request.read()
        async with self._session.request(
            request.method, url, headers=head, data=body, params=request.query
        ) as answer:
            kept = {"Content-Type", "Set-Cookie", "Content-Security-Policy"}
            passed = {k: v for k, v in answer.headers.items() if k in kept}
            response = web.Response(body=await answer.read(), status=answer.status, headers=passed)
            response.enable_compression(web.ContentCoding.deflate)
            return response
