"""What is refused before it reaches the page: wrong hosts, foreign origins, strangers."""

import ipaddress
import logging
import socket
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import web

from ast_edge.base.printable import printable
from ast_edge.monitoring.config import parse_address
from ast_edge.monitoring.web_config import WebConfig
from ast_edge.web.access import Access

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

OPEN_TO_ALL = ("/api/login", "/api/alive")
WRITE_HEADER = "X-Ast-Edge"
"""A page of another origin cannot send it without asking first, and is not answered then."""
USER_HEADERS = ("X-Remote-User-Display-Name", "X-Remote-User-Name", "X-Remote-User-Id")
"""What the Supervisor says of a visitor; it lets nobody else say it."""
LONGEST_NAME = 80
TRIES = 5
"""Tokens that one address may get wrong in a row; then one in TRY_SECONDS."""
TRY_SECONDS = 10.0
PEERS = 1000
"""Addresses whose tries are remembered."""
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "media-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors {frames}"
)


class Guard:
    """Checks every request, and says in every answer what a browser must not do with it."""

    def __init__(self, config: WebConfig, access: Access, cookie: str) -> None:
        """Let those in who know the token of `access`, or come by a proxy that knows them."""
        self._access, self.cookie = access, cookie
        self._proxies = {ipaddress.ip_address(p) for p in config.trusted}
        self._ingress = config.ingress
        own = socket.gethostname().lower()
        listens = parse_address(config.listen)[0].lower()
        names = {"localhost", own, own.split(".")[0], f"{own.split('.')[0]}.local", listens}
        self._hosts = names | {name.lower().rstrip(".") for name in config.hosts}
        self._policy = _POLICY.format(frames="'self'" if self._proxies else "'none'")

    @web.middleware
    async def check(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a request by its handler, or refuse it; the middleware of the application."""
        try:
            self._check(request)
            return await handler(request)
        except web.HTTPException:
            raise
        except (ConnectionError, TimeoutError):
            raise
        except Exception as exc:
            log.error(
                "web: %s %s: %s: %s; this is a fault of ast-edge, please report it",
                *(request.method, request.path[:60], type(exc).__name__, exc),
                exc_info=exc,
            )
            raise web.HTTPInternalServerError(text="a fault of ast-edge; its log tells") from exc

    async def label(self, request: web.Request, response: web.StreamResponse) -> None:
        """Put the rules into the head of an answer."""
        response.headers["Content-Security-Policy"] = self._policy
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers.pop("Server", None)

    def comes_by_proxy(self, request: web.Request) -> bool:
        """Tell whether a proxy that we trust has let a request in."""
        return _address(request.remote or "") in self._proxies

    def visitor(self, request: web.Request) -> str:
        """Return who asks, by the word of Home Assistant's ingress; empty where nobody knows.

        Of others' headers nothing is believed: any proxy may pass on what a visitor has made up.
        """
        if not self._ingress or not self.comes_by_proxy(request):
            return ""
        names = (request.headers.get(name, "") for name in USER_HEADERS)
        return printable(next(filter(None, names), ""))[:LONGEST_NAME]

    def _check(self, request: web.Request) -> None:
        by_proxy, host = self.comes_by_proxy(request), _name(f"//{request.host}")
        if self._ingress and not by_proxy:
            raise web.HTTPForbidden(text="only by Home Assistant's ingress")
        if not by_proxy and not (host in self._hosts or _address(host)):
            raise web.HTTPForbidden(text="wrong host: add the name to web.hosts")
        upgrades = "Upgrade" in request.headers
        writes = request.method not in ("GET", "HEAD")
        if (upgrades or writes) and (origin := request.headers.get("Origin")) is not None:
            known = {host}
            if by_proxy:
                known.add(_name(f"//{request.headers.get('X-Forwarded-Host', '')}"))
            if _name(origin) not in known - {""}:
                raise web.HTTPForbidden(text="foreign origin")
        if writes and request.headers.get(WRITE_HEADER) != "1":
            raise web.HTTPForbidden(text=f"{WRITE_HEADER}: 1 is missing")
        if not request.path.startswith("/api/") or request.path in OPEN_TO_ALL:
            return
        if not by_proxy and not self._access.knows(request.cookies.get(self.cookie, "")):
            raise web.HTTPUnauthorized(text="no session: log in with the token")


class Tries:
    """Wrong tokens, by the address that they came from."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin without any."""
        self._clock = clock
        self._full_at: OrderedDict[object, float] = OrderedDict()
        """When an address has all its tries again."""

    def wait(self, peer: str) -> float:
        """Return the seconds until an address may try again; 0 if it may."""
        ahead = self._full_at.get(_group(peer), 0.0) - self._clock()
        return max(0.0, ahead - (TRIES - 1) * TRY_SECONDS)

    def failed(self, peer: str) -> None:
        """Take note of a wrong token."""
        key = _group(peer)
        self._full_at[key] = max(self._full_at.pop(key, 0.0), self._clock()) + TRY_SECONDS
        if len(self._full_at) > PEERS:
            self._full_at.popitem(last=False)

    def succeeded(self, peer: str) -> None:
        """Forget what an address got wrong."""
        self._full_at.pop(_group(peer), None)


def _group(peer: str) -> object:
    """Return what counts as one visitor: of IPv6, everybody has 2^64 addresses."""
    address = _address(peer)
    if isinstance(address, ipaddress.IPv6Address):
        return int(address) >> 64
    return address


def _name(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(host.split("%")[0])
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found
