"""A hub of models as the public one is: it redirects for every file.

Small ones come from another path of its own, large ones from another host; the redirect says which
commit it is, and of a large file its sum.
"""

import contextlib
import hashlib
import json
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

REPOSITORY = "somebody/tiny-ast"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
_CACHE = "/api/resolve-cache/models/"
LARGE = (".onnx", ".onnx_data")

Fault = Callable[["_Handler", bytes], None]
"""Answers a request for these bytes instead of the server."""


@dataclass(frozen=True)
class Request:
    """What was asked for."""

    path: str
    headers: dict[str, str]


@dataclass
class Hub:
    """Two servers, of the repository's pages and of its large files, on ports of this machine."""

    files: dict[str, bytes] = field(default_factory=dict)
    """Path -> content."""
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    """Path -> what happens to the next requests for it, at the host that would send it."""
    stated: dict[str, str] = field(default_factory=dict)
    """Path -> the sum that the hub states, where it is another than the true one."""
    asked: list[Request] = field(default_factory=list)
    """Of the hub."""
    sent: list[Request] = field(default_factory=list)
    """Of the host of large files."""

    authority: Path | None = None
    """Folder with server.crt and server.key: the pages come by https, large files do not."""

    def __enter__(self) -> "Hub":
        self._store = _serve(self, _Store)
        self._pages = _serve(self, _Pages, self.authority)
        self.store_url = f"http://127.0.0.1:{self._store.server_address[1]}"
        scheme, host = ("https", "localhost") if self.authority else ("http", "127.0.0.1")
        self.url = f"{scheme}://{host}:{self._pages.server_address[1]}"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for server in (self._pages, self._store):
            server.shutdown()
            server.server_close()

    def asked_for(self, path: str) -> int:
        """Count the requests of the hub for a file."""
        return sum(request.path.endswith(f"/{path}") for request in self.asked)


def _serve(
    hub: Hub, handler: type["_Handler"], authority: Path | None = None
) -> ThreadingHTTPServer:
    server = _Server(("127.0.0.1", 0), type("Bound", (handler,), {"hub": hub}))
    if authority:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(authority / "server.crt", authority / "server.key")
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Say nothing of clients that go."""


class _Handler(BaseHTTPRequestHandler):
    hub: Hub

    def answer(self, status: int, headers: dict[str, Any], body: bytes = b"") -> None:
        """Send a whole answer."""
        self.send_response(status)
        for key, value in {"Content-Length": len(body), **headers}.items():
            self.send_header(key, str(value))
        self.end_headers()
        self.wfile.write(body)

    def send_file(self, content: bytes, etag: str, **headers: str) -> None:
        """Send a file, or the part that is asked for."""
        headers = {"ETag": f'"{etag}"', **headers}
        wanted, unless = self.headers.get("Range"), self.headers.get("If-Range")
        if wanted is None or unless not in (None, f'"{etag}"'):
            self.answer(200, headers, content)
            return
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start >= len(content):
            self.answer(416, {"Content-Range": f"bytes */{len(content)}"})
            return
        part = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self.answer(206, headers | {"Content-Range": part}, content[start:])

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            super().handle()

    def log_message(self, *args: object) -> None:
        pass

    def had_fault(self, path: str, content: bytes) -> bool:
        """Let the next fault of a file happen, if there is one."""
        if faults := self.hub.faults.get(path):
            faults.pop(0)(self, content)
        else:
            return False
        return True


class _Pages(_Handler):
    def do_GET(self) -> None:
        if self.path.startswith(_CACHE):  # it has been redirected here
            path = self.path.removeprefix(_CACHE).partition("?")[0]
            self.send_small(path, self.hub.files[path])
            return
        self.hub.asked.append(Request(self.path, dict(self.headers)))
        path = self.path.partition("/resolve/")[2].partition("/")[2] or self.path.lstrip("/")
        content = self.hub.files.get(path)
        commit = {"X-Repo-Commit": COMMIT}
        large = path.endswith(LARGE) and "/resolve/" in self.path
        if not large and self.had_fault(path, content or b""):
            return
        if content is None:
            self.answer(404, commit, b"Entry not found")
        elif large:
            linked = self.hub.stated.get(path, hashlib.sha256(content).hexdigest())
            headers = {
                "Location": f"{self.hub.store_url}/{path}?signature=secret",
                "X-Linked-ETag": f'"{linked}"',
                "X-Linked-Size": len(content),
            }
            self.answer(302, commit | headers)
        elif "/resolve/" in self.path:
            self.answer(307, commit | {"Location": f"{_CACHE}{path}?etag=x"})
        else:
            self.send_small(path, content)

    def send_small(self, path: str, content: bytes) -> None:
        """Send a file whose etag is what Git calls it."""
        blob = b"blob %d\0" % len(content) + content
        self.send_file(content, self.hub.stated.get(path, hashlib.sha1(blob).hexdigest()))


class _Store(_Handler):
    def do_GET(self) -> None:
        self.hub.sent.append(Request(self.path, dict(self.headers)))
        path = self.path.partition("?")[0].lstrip("/")
        content = self.hub.files.get(path)
        if self.had_fault(path, content or b""):
            return
        if content is None:
            self.answer(404, {})
        else:
            self.send_file(content, f"store-{len(content)}")


def status(code: int, **headers: str) -> Fault:
    """Answer with a status."""
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return lambda handler, content: handler.answer(code, named)


def cut_after(size: int) -> Fault:
    """Break the connection after so many bytes, of which as many were promised as there are."""

    def cut(handler: _Handler, content: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.send_header("ETag", f'"store-{len(content)}"')
        handler.end_headers()
        handler.wfile.write(content[:size])
        handler.close_connection = True

    return cut


def endless(handler: _Handler, content: bytes) -> None:
    """Send bytes until the other side goes, without saying how many."""
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(bytes(1 << 16))


def trickle(handler: _Handler, content: bytes) -> None:
    """Send a byte now and then, until the other side goes."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    for byte in content:
        handler.wfile.write(bytes([byte]))
        time.sleep(0.02)


def whole_again(handler: _Handler, content: bytes) -> None:
    """Send the file from its start, whatever part was asked for."""
    handler.answer(200, {"ETag": f'"store-{len(content)}"'}, content)


@dataclass
class Stall:
    """Sends some bytes and then none, until it is let go."""

    size: int
    over: threading.Event = field(default_factory=threading.Event)

    def __call__(self, handler: _Handler, content: bytes) -> None:
        """Stall."""
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content[: self.size])
        handler.wfile.flush()
        self.over.wait(60)


def model_files(folder: dict[str, bytes], **changes: Any) -> dict[str, bytes]:
    """Return the files of a model with changes to its config.json."""
    config = json.loads(folder["config.json"]) | changes
    return folder | {"config.json": json.dumps(config).encode()}
