"""One request to a web server, its redirects followed with care."""

import http.client
import os
import re
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from email.message import Message
from ipaddress import ip_address
from typing import IO
from urllib.parse import urljoin, urlsplit

from ast_edge import __version__
from ast_edge.base.errors import ConfigError
from ast_edge.base.secret_values import hide
from ast_edge.hub.errors import HubError, MissingError
from ast_edge.hub.origin import HUB, shown

MOST_REDIRECTS = 8
_MOVED = (301, 302, 303, 307, 308)
_PIECE = 1 << 16
"""Bytes that are read at once, so that progress is seen."""
_ONCE_MORE = (408, 429, 500, 502, 503, 504)
"""Statuses of a server that may answer later."""


class TransferFault(Exception):
    """A fault of the way or the server that may be gone the next time."""


@dataclass(frozen=True)
class Answer:
    """What a server sends, its body still to be read."""

    status: int
    """200, 206 (a part) or 416 (there is no such part)."""
    start: int
    """The first byte of the body in the file."""
    total: int | None
    """Bytes of the whole file, where the server says."""
    etag: str
    """What names this content on that server; empty if it does not say."""
    stated: str
    """The sum that the hub states of the file: sha256, or Git's sha1 of a small one; or empty."""
    commit: str
    """Of the hub's repository; empty elsewhere."""
    _body: IO[bytes] = field(repr=False)
    _address: str

    def read(self) -> bytes:
        """Return the next bytes as they come, none at the end.

        Raises:
            TransferFault: if the connection fails or nothing comes.
        """
        try:
            return self._body.read1(_PIECE)  # type: ignore[attr-defined, no-any-return]
        except (OSError, http.client.HTTPException) as exc:
            raise TransferFault(f"{self._address}: {_why(exc)}") from exc


class Web:
    """Fetches over https, and over http only where the address itself says so.

    The token of `HF_TOKEN` goes to the hub's own host and nowhere else: large files come from
    others, to which it redirects.
    """

    def __init__(
        self,
        endpoint: str,
        stall_timeout: float = 30.0,
        may_visit: Callable[[str], bool] = lambda url: True,
    ) -> None:
        """Take the hub's address, and where redirects may lead.

        Raises:
            ConfigError: if the token cannot be sent.
        """
        self.stall_timeout = stall_timeout
        """Seconds without a byte after which a transfer has failed."""
        self._endpoint, self._may_visit = endpoint, may_visit
        self._token = _token()
        self._opener = urllib.request.build_opener(_NoRedirects)

    @contextmanager
    def open(self, url: str, start: int = 0, unless_changed: str = "") -> Iterator[Answer]:
        """Ask for a file from a byte on; `unless_changed` is the etag it must still have for that.

        Raises:
            TransferFault: for what may be gone the next time, while the body is read as well.
            MissingError: if there is no such file.
            HubError: if the server refuses, or redirects in a circle or to somewhere unfit.
        """
        headers = {"User-Agent": f"ast-edge/{__version__}", "Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
            if unless_changed:
                headers["If-Range"] = unless_changed
        with ExitStack() as opened:
            try:
                answer = opened.enter_context(self._follow(url, headers))
            except (OSError, http.client.HTTPException) as exc:
                reason = getattr(exc, "reason", exc)
                if isinstance(reason, ssl.SSLError):
                    raise HubError(f"{shown(url)}: no safe connection: {_why(exc)}") from exc
                raise TransferFault(f"{shown(url)}: {_why(exc)}") from exc
            yield answer

    @contextmanager
    def _follow(self, url: str, headers: dict[str, str]) -> Iterator[Answer]:
        stated: dict[str, str] = {}
        visited = [url]
        while True:
            with self._ask(visited[-1], headers) as (status, found, body):
                for name in ("X-Linked-ETag", "X-Linked-Size", "X-Repo-Commit"):
                    if self._is_a_hub(visited[-1]) and found.get(name):
                        stated.setdefault(name, found[name])
                if status not in _MOVED:
                    _check_status(status, visited[-1], found)
                    if self._is_a_hub(visited[-1]):  # a small file, which the hub sends itself
                        stated.setdefault("X-Linked-ETag", found.get("ETag", ""))
                    yield _answer(status, found, body, stated, shown(visited[-1]))
                    return
                visited.append(_next(visited, found))
                if not self._may_visit(visited[-1]):
                    raise HubError(
                        f"{shown(visited[-2])}: is redirected to {shown(visited[-1])}, which is "
                        "none of the places that are allowed"
                    )

    @contextmanager
    def _ask(self, url: str, headers: dict[str, str]) -> Iterator[tuple[int, Message, IO[bytes]]]:
        request = urllib.request.Request(url, headers=headers)
        if self._token and self._is_hub(url) and _is_private(url):
            request.add_unredirected_header("Authorization", f"Bearer {self._token}")
        try:
            response = self._opener.open(request, timeout=self.stall_timeout)
        except urllib.error.HTTPError as exc:
            response = exc
        except ValueError as exc:  # an address that cannot be one, http.client.InvalidURL included
            raise HubError(f"{shown(url)}: expected an address, {exc}") from exc
        with response:
            yield response.status, response.headers, response

    def _is_hub(self, url: str) -> bool:
        return urlsplit(url)[:2] == urlsplit(self._endpoint)[:2]

    def _is_a_hub(self, url: str) -> bool:
        """Tell whether a server may state sums: ours, or the public hub, to which mirrors send."""
        return self._is_hub(url) or urlsplit(url)[:2] == urlsplit(HUB)[:2]


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Leaves redirects to us."""

    def redirect_request(self, *_: object) -> None:
        """Follow none."""


def _token() -> str:
    token = os.environ.get("HF_TOKEN", "").strip()
    if token:
        hide(token, "HF_TOKEN")
        if not re.fullmatch(r"[\x21-\x7e]+", token):
            raise ConfigError("HF_TOKEN: expected letters, digits and signs without a space")
    return token


def _is_private(url: str) -> bool:
    """Tell whether nobody on the way reads what is sent: by https, or to this machine itself."""
    parts = urlsplit(url)
    try:
        local = ip_address(parts.hostname or "").is_loopback
    except ValueError:
        local = parts.hostname == "localhost"
    return parts.scheme == "https" or local


def _next(visited: list[str], found: Message) -> str:
    """Return where a redirect leads."""
    here = visited[-1]
    url = urljoin(here, found.get("Location", ""))
    parts = urlsplit(url)
    if parts.scheme not in ("https", urlsplit(here).scheme) or not parts.hostname:
        raise HubError(
            f"{shown(here)}: is redirected to {shown(url)!r:.100}: expected an address by https"
        )
    if url in visited or len(visited) > MOST_REDIRECTS:
        raise HubError(f"{shown(visited[0])}: is redirected in a circle, or without an end")
    return url


def _check_status(status: int, url: str, found: Message) -> None:
    if status in (200, 206, 416):
        if found.get("Content-Encoding", "identity").lower() != "identity":
            raise HubError(f"{shown(url)}: comes compressed, which was not asked for")
        return
    if status in _ONCE_MORE:
        raise TransferFault(f"{shown(url)}: the server answers {status}")
    if status in (404, 410):
        raise MissingError(f"{shown(url)}: no such file, the server answers {status}")
    if status in (401, 403):
        raise HubError(
            f"{shown(url)}: the server answers {status}: it does not exist, or is not for "
            "everybody; set HF_TOKEN to a token that may read it"
        )
    raise HubError(f"{shown(url)}: expected the file, the server answers {status}")


def _answer(
    status: int, found: Message, body: IO[bytes], stated: dict[str, str], address: str
) -> Answer:
    start, total = 0, _number(stated.get("X-Linked-Size", found.get("Content-Length", "")))
    if status != 200:
        part = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", found.get("Content-Range", ""))
        if status == 206 and (part is None or part[1] is None):
            raise HubError(f"{address}: the server sends a part without saying which")
        start, total = (int(part[1] or 0), _number(part[2])) if part else (0, None)
    sum_ = stated.get("X-Linked-ETag", "").removeprefix("W/").strip('"').lower()
    return Answer(
        status,
        start,
        total,
        etag="" if found.get("ETag", "").startswith("W/") else found.get("ETag", ""),
        stated=sum_ if re.fullmatch(r"[0-9a-f]{64}|[0-9a-f]{40}", sum_) else "",
        commit=stated.get("X-Repo-Commit", ""),
        _body=body,
        _address=address,
    )


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"\d{1,18}", text) else None


def _why(exc: Exception) -> str:
    """Say what a fault of the network is, without the words of the library."""
    reason = getattr(exc, "reason", exc)
    if isinstance(reason, TimeoutError):
        return "no answer in time"
    return str(getattr(reason, "strerror", None) or reason or type(exc).__name__)
