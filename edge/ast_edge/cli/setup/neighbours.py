"""Brokers and Home Assistants of this network, as they announce themselves by mDNS."""

import contextlib
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from ast_edge.base.host_name import host_fault

if TYPE_CHECKING:
    from zeroconf import ServiceInfo, ServiceStateChange, Zeroconf

SECONDS = 3.0
"""For which answers are waited for."""
_PLAIN, _ENCRYPTED = "_mqtt._tcp.local.", "_secure-mqtt._tcp.local."
_HOME_ASSISTANT = "_home-assistant._tcp.local."
_USUAL = {_PLAIN: 1883, _ENCRYPTED: 8883}


@dataclass(frozen=True)
class Neighbour:
    """Where a broker may be."""

    host: str
    port: int | None
    """None where it is the usual one."""
    tls: bool
    what: str


def can_look() -> bool:
    """Tell whether the library for it is installed."""
    return find_spec("zeroconf") is not None


def find_neighbours(seconds: float = SECONDS, *, interfaces: Sequence[str] = ()) -> list[Neighbour]:
    """Listen for so long, on all interfaces unless some are given; brokers come first.

    Home Assistant tells where its page is and not whether it has a broker: the usual port is tried.
    None is found where there is no network.
    """
    from zeroconf import InterfaceChoice, ServiceBrowser, Zeroconf

    names: dict[tuple[str, str], None] = {}

    def changed(
        zeroconf: "Zeroconf", service_type: str, name: str, state_change: "ServiceStateChange"
    ) -> None:
        names[service_type, name] = None

    found: dict[tuple[str, int | None], Neighbour] = {}
    try:
        zeroconf = Zeroconf(interfaces=list(interfaces) or InterfaceChoice.All)
    except OSError:
        return []
    with contextlib.closing(zeroconf):
        kinds = [_PLAIN, _ENCRYPTED, _HOME_ASSISTANT]
        browser = ServiceBrowser(zeroconf, kinds, handlers=[changed])
        time.sleep(seconds)
        browser.cancel()
        for kind, name in sorted(names, key=lambda pair: kinds.index(pair[0])):
            info = zeroconf.get_service_info(kind, name, timeout=1000)
            for one in _read(kind, info) if info else ():
                found.setdefault((one.host, one.port), one)
    return list(found.values())


def _read(kind: str, info: "ServiceInfo") -> Iterator[Neighbour]:
    """Make an address of what anybody in the network may have said."""
    name = (info.server or "").rstrip(".")
    hosts = [name] if name and not host_fault(name) and _resolves(name) else []
    hosts += [address for address in info.parsed_addresses() if not host_fault(address)]
    if not hosts:
        return
    if kind == _HOME_ASSISTANT:
        yield Neighbour(hosts[0], None, False, "Home Assistant, if it has a broker")
        return
    port = None if info.port == _USUAL[kind] else info.port
    what = "a broker, encrypted" if kind == _ENCRYPTED else "a broker"
    yield Neighbour(hosts[0], port, kind == _ENCRYPTED, what)


def _resolves(name: str) -> bool:
    """Tell whether the daemon could find a name: not every system resolves those of mDNS."""
    try:
        socket.getaddrinfo(name, None)
    except OSError:
        return False
    return True
