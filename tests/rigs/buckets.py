"""Buckets as S3 has them, on a port of this machine: listed a few at a time, read in parts."""

import contextlib
import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

_PAGE = 2
"""Entries of one answer, of those that are listed."""


@dataclass(frozen=True)
class Stored:
    """What a key holds."""

    content: bytes
    changed: float = field(default_factory=time.time)
    """Unix time."""


@dataclass
class Buckets:
    """A server of objects, by bucket and key: "bucket/folder/name.wav"."""

    objects: dict[str, Stored] = field(default_factory=dict)
    private: set[str] = field(default_factory=set)
    """Buckets for those with credentials only."""
    cut: set[str] = field(default_factory=set)
    """Objects of which the half arrives, then the connection is lost."""
    after_read: dict[str, Callable[[], object]] = field(default_factory=dict)
    """What is done when an object has been read, once."""
    read: list[str] = field(default_factory=list)
    """Objects whose first byte was sent."""

    def put(self, path: str, content: bytes, changed: float | None = None) -> None:
        """Store an object, in place of the one before."""
        self.objects[path] = Stored(content, time.time() if changed is None else changed)

    def put_folder(self, place: str, folder: Path) -> None:
        """Store the files of a folder."""
        for path in folder.rglob("*.*"):
            self.put(f"{place}/{path.relative_to(folder)}", path.read_bytes())

    def __enter__(self) -> "Buckets":
        self._server = _Server(("127.0.0.1", 0), type("Bound", (_Handler,), {"buckets": self}))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Say nothing of clients that go."""


class _Handler(BaseHTTPRequestHandler):
    buckets: Buckets
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        path = unquote(urlsplit(self.path).path).lstrip("/")
        if self._may(path) and (found := self._find(path)):
            self._answer(200, _headers(found), length=len(found.content))

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        path = unquote(parts.path).lstrip("/")
        if not self._may(path):
            return
        if "list-type" in parts.query:
            self._list(path.rstrip("/"), parse_qs(parts.query, keep_blank_values=True))
        elif found := self._find(path):
            self._send(path, found)

    def _send(self, path: str, found: Stored) -> None:
        first, last = 0, len(found.content) - 1
        if wanted := self.headers.get("Range"):
            numbers = wanted.removeprefix("bytes=").split("-")
            first, last = int(numbers[0]), min(int(numbers[1]), last)
        if first == 0:
            self.buckets.read.append(path)
        part = found.content[first : last + 1]
        headers = _headers(found)
        headers["Content-Range"] = f"bytes {first}-{last}/{len(found.content)}"
        if path in self.buckets.cut:
            self._answer(206, headers, part[: len(part) // 2], length=len(part))
            self.close_connection = True
            return
        self._answer(206, headers, part)
        self.buckets.after_read.pop(path, lambda: None)()

    def _list(self, bucket: str, query: dict[str, list[str]]) -> None:
        prefix = query.get("prefix", [""])[0]
        start = int(query.get("continuation-token", ["0"])[0])
        entries = list(self._entries(bucket, prefix, "delimiter" in query))
        if not any(path.startswith(f"{bucket}/") for path in self.buckets.objects):
            self._refuse(404, "NoSuchBucket", "The specified bucket does not exist")
            return
        end = start + _PAGE
        count = len(entries[start:end])
        more = f"<NextContinuationToken>{end}</NextContinuationToken>" * (end < len(entries))
        truncated = str(end < len(entries)).lower()
        body = (
            f"<ListBucketResult><IsTruncated>{truncated}</IsTruncated>{more}"
            f"<KeyCount>{count}</KeyCount>{''.join(entries[start:end])}</ListBucketResult>"
        )
        self._answer(200, {"Content-Type": "application/xml"}, body.encode())

    def _entries(self, bucket: str, prefix: str, in_folders: bool) -> Iterator[str]:
        """Yield what is in a folder, as XML; and below, unless folders stand for it."""
        folders = set()
        for path, stored in sorted(self.buckets.objects.items()):
            owner, _, key = path.partition("/")
            if owner != bucket or not key.startswith(prefix):
                continue
            folder, slash, _ = key[len(prefix) :].partition("/")
            if slash and in_folders:
                if folder not in folders:
                    folders.add(folder)
                    name = escape(f"{prefix}{folder}/")
                    yield f"<CommonPrefixes><Prefix>{name}</Prefix></CommonPrefixes>"
            else:
                stamp = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(stored.changed))
                yield (
                    f"<Contents><Key>{escape(key)}</Key><LastModified>{stamp}</LastModified>"
                    f"<Size>{len(stored.content)}</Size></Contents>"
                )

    def _may(self, path: str) -> bool:
        refused = path.partition("/")[0] in self.buckets.private
        if refused := refused and "Authorization" not in self.headers:
            self._refuse(403, "AccessDenied", "Access Denied")
        return not refused

    def _find(self, path: str) -> Stored | None:
        found = self.buckets.objects.get(path)
        if found is None:
            self._refuse(404, "NoSuchKey", "The specified key does not exist.")
        return found

    def _refuse(self, status: int, code: str, message: str) -> None:
        body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
        self._answer(status, {"Content-Type": "application/xml"}, body.encode())

    def _answer(
        self, status: int, headers: dict[str, Any], body: bytes = b"", length: int | None = None
    ) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            super().handle()

    def log_message(self, *args: object) -> None:
        pass


def _headers(found: Stored) -> dict[str, str]:
    etag = hashlib.md5(found.content).hexdigest()
    return {"Last-Modified": formatdate(found.changed, usegmt=True), "ETag": f'"{etag}"'}
