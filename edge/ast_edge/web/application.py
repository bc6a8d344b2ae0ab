"""What browsers may ask for: the page, its state, events, reviews and settings."""

import asyncio
import gzip
import hashlib
import json
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

from aiohttp import web

from ast_edge.app.service import Service
from ast_edge.monitoring.web_config import WebConfig
from ast_edge.mqtt.commands import CommandRefused
from ast_edge.web.access import Access
from ast_edge.web.door import Door
from ast_edge.web.exports import FORMATS, export
from ast_edge.web.guard import Guard, Tries
from ast_edge.web.log_tail import LogTail
from ast_edge.web.past import SHOWN, find_clip, kept_clips, past_events
from ast_edge.web.reviews import MOST, ReviewError, Reviews, check_review, reviews_path
from ast_edge.web.stage import Stage
from ast_edge.web.viewer import FULL, Viewer

KINDS = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
}
LONGEST_BODY = 65536
MOST_EXPORTED = 10_000
HEARTBEAT = 20.0
"""Seconds between two pings."""

Json = dict[str, Any]


class Application:
    """The routes of the page, all below the address that it is called by."""

    def __init__(
        self, config: WebConfig, service: Service, stage: Stage, access: Access, tail: LogTail
    ) -> None:
        """Serve what the stage shows to those who may see it."""
        self._config, self._service, self._stage, self._access = config, service, stage, access
        self._tail, self._tries = tail, Tries()
        node = service.plan.config.node
        self._guard = Guard(config, access, f"ast-edge-{node}")
        self._reviews = Reviews(reviews_path(config.reviews, node))
        self._door = Door(service)
        self._files = {file.name: _File(file) for file in _static()}

    def make(self) -> web.Application:
        """Return what a runner serves."""
        app = web.Application(middlewares=[self._guard.check], client_max_size=LONGEST_BODY)
        app.on_response_prepare.append(self._guard.label)
        app.router.add_get("/", self._file)
        app.router.add_get("/{name}", self._file)
        api = [
            ("GET", "alive", self._alive),
            ("POST", "login", self._login),
            ("POST", "logout", self._logout),
            ("GET", "live", self._live),
            ("GET", "state", self._state),
            ("GET", "events", self._events),
            ("GET", "held", self._held),
            ("GET", "export", self._export),
            ("GET", "clip", self._clip),
            ("GET", "log", self._log),
            ("POST", "reviews", self._review),
            ("PUT", "settings", self._change),
        ]
        for method, name, handler in api:
            app.router.add_route(method, f"/api/{name}", handler)
        return app

    async def _file(self, request: web.Request) -> web.Response:
        name = request.match_info.get("name", "index.html")
        if name not in self._files:
            raise web.HTTPNotFound(text="no such file")
        file = self._files[name]
        head = {"ETag": file.tag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
        if file.tag in request.headers.get("If-None-Match", ""):
            return web.Response(status=304, headers=head)
        body, squeezes = file.plain, "gzip" in request.headers.get("Accept-Encoding", "")
        if squeezes:
            body, head["Content-Encoding"] = file.squeezed, "gzip"
        return web.Response(body=body, content_type=file.kind, charset="utf-8", headers=head)

    async def _alive(self, _: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def _login(self, request: web.Request) -> web.Response:
        peer = request.remote or ""
        if wait := self._tries.wait(peer):
            head = {"Retry-After": str(int(wait) + 1)}
            raise web.HTTPTooManyRequests(text="too many wrong tokens", headers=head)
        token = (await _body(request)).get("token")
        if not isinstance(token, str) or not self._access.admits(token):
            self._tries.failed(peer)
            raise web.HTTPUnauthorized(text="wrong token")
        self._tries.succeeded(peer)
        answer = web.json_response({})
        # Without a path it is for this folder and what is below, whatever prefix a proxy adds.
        answer.set_cookie(
            *(self._guard.cookie, self._access.begin_session()),
            max_age=30 * 86400,
            path="",
            httponly=True,
            samesite="Strict",
            secure=self._config.tls is not None,
        )
        return answer

    async def _logout(self, _: web.Request) -> web.Response:
        answer = web.json_response({})
        answer.del_cookie(self._guard.cookie, path="")
        return answer

    async def _live(self, request: web.Request) -> web.WebSocketResponse:
        source = request.query.get("source", "")
        sources = self._service.plan.hearings
        if source not in sources:
            source = next(iter(sources))
        socket = web.WebSocketResponse(heartbeat=HEARTBEAT, max_msg_size=4096, compress=False)
        await socket.prepare(request)
        viewer = Viewer(socket, source)
        if self._stage.is_full:
            await viewer.close(FULL, "as many look on as may")
            return socket
        self._stage.enter(viewer)
        try:
            await viewer.serve()
        finally:
            self._stage.leave(viewer)
        return socket

    async def _state(self, _: web.Request) -> web.Response:
        return web.json_response(self._stage.state())

    async def _events(self, _: web.Request) -> web.Response:
        return web.json_response({"events": await self._known(SHOWN)})

    async def _held(self, _: web.Request) -> web.Response:
        return web.json_response({"held": list(self._stage.held)})

    async def _export(self, request: web.Request) -> web.Response:
        kind = request.query.get("format", "csv")
        if kind not in FORMATS:
            raise web.HTTPBadRequest(text=f"expected a format: {', '.join(FORMATS)}")
        events = await self._known(MOST_EXPORTED)
        for key in ("source", "slug"):
            if wanted := request.query.get(key):
                events = [event for event in events if event[key] == wanted]
        name = f"events-{kind}.{'csv' if kind == 'csv' else 'txt'}"
        head = {"Content-Disposition": f'attachment; filename="{name}"'}
        text = export(events, kind)
        return web.Response(text=text, content_type=FORMATS[kind], headers=head)

    async def _clip(self, request: web.Request) -> web.StreamResponse:
        path = await _aside(lambda: find_clip(self._service, request.query.get("id", "")))
        if path is None:
            raise web.HTTPNotFound(text="no sound was kept")
        return web.FileResponse(path, headers={"Content-Type": "audio/flac"})

    async def _log(self, _: web.Request) -> web.Response:
        return web.json_response({"lines": self._tail.lines(), "viewers": self._stage.viewers})

    async def _review(self, request: web.Request) -> web.Response:
        self._must_allow_changes()
        said = await _body(request)
        ids, verdict, label = said.get("ids"), said.get("verdict"), said.get("label")
        if not isinstance(ids, list) or not 0 < len(ids) <= MOST:
            raise web.HTTPBadRequest(text=f"expected 1 to {MOST} events")
        if not isinstance(verdict, str) or not (label is None or isinstance(label, str)):
            raise web.HTTPBadRequest(text="expected a verdict, and perhaps a label")
        known = {event["id"]: event for event in await self._known(MOST_EXPORTED)}
        events = [known[i] for i in ids if isinstance(i, str) and i in known]
        if len(events) < len(ids):
            raise web.HTTPConflict(text="an event is not remembered any more")
        hearings = self._service.plan.hearings.values()
        names = {x.name for h in hearings for x in (*h.bundle.labels, *h.settings)}

        def add() -> list[str]:
            check_review(verdict, label, names)  # or a clip would be written for nothing
            clips = kept_clips(self._service)
            if verdict != "undone" and (writer := self._service.clips):
                kept = {event["id"]: writer.keep(event["id"]) for event in events}
                clips |= {name: path for name, path in kept.items() if path}
            placed = [e | {"clip": _absolute(clips.get(e["id"]))} for e in events]
            self._reviews.add(placed, verdict, label, names)
            return [event["id"] for event in placed if event["clip"]]

        try:
            return web.json_response({"clips": await _aside(add)})
        except ReviewError as exc:
            raise web.HTTPConflict(text=str(exc)) from exc

    async def _change(self, request: web.Request) -> web.Response:
        self._must_allow_changes()
        said = await _body(request)
        path, value = said.get("path"), said.get("value")
        if not isinstance(path, str) or not isinstance(value, str):
            raise web.HTTPBadRequest(text="expected a path and a value, both text")
        try:
            await self._door.change(path, value, self._guard.visitor(request))
        except CommandRefused as exc:
            raise web.HTTPConflict(text=str(exc)) from exc
        except asyncio.TimeoutError as exc:
            text = "the daemon does not answer; it may follow later"
            raise web.HTTPGatewayTimeout(text=text) from exc
        return web.json_response({})

    def _must_allow_changes(self) -> None:
        if not self._config.changes:
            raise web.HTTPForbidden(text="changes are not allowed: web.changes is false")

    async def _known(self, count: int) -> list[Json]:
        """Return the newest events, with what was said of them."""

        def read() -> list[Json]:
            said = self._reviews.verdicts()
            events = past_events(self._service, count)
            return [event | _verdict(said.get(event["id"])) for event in events]

        known: list[Json] = await _aside(read)
        return known


class _File:
    """One file of the page, as it is sent."""

    def __init__(self, file: Any) -> None:  # noqa: ANN401 (a Traversable, which 3.10 has elsewhere)
        self.plain: bytes = file.read_bytes()
        self.squeezed = gzip.compress(self.plain, mtime=0)
        self.tag = f'"{hashlib.sha256(self.plain).hexdigest()[:32]}"'
        self.kind = KINDS[_suffix(file.name)]


def _absolute(path: Path | None) -> str | None:
    return None if path is None else str(path.absolute())


def _verdict(review: Json | None) -> Json:
    return {"verdict": review["verdict"], "true": review.get("true")} if review else {}


async def _aside(work: Callable[[], Any]) -> Any:  # noqa: ANN401 (whatever it returns)
    """Do in another thread what touches a disk."""
    return await asyncio.get_running_loop().run_in_executor(None, work)


async def _body(request: web.Request) -> Json:
    """Return the object that a request holds."""
    try:
        body = json.loads(await request.text())
    except (ValueError, LookupError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise web.HTTPBadRequest(text="expected an object in JSON")
    return body


def _static() -> list[Any]:
    folder = resources.files("ast_edge.web") / "static"
    return [file for file in folder.iterdir() if _suffix(file.name) in KINDS]


def _suffix(name: str) -> str:
    return name[name.rfind(".") :]
