"""Where bundles may come from: addresses that begin as one of a list does."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ast_edge.base.host_name import host_fault

_ADDRESS = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>\d{1,5}))?"
    r"(?P<path>/[A-Za-z0-9._~/+=,@-]*)?"
)
"""Nothing in it can be read in two ways: no login, no query, no percent sign."""
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Place:
    """A folder of a web server, and all below it."""

    scheme: str
    host: str
    port: int
    path: str
    """Begins and ends with a slash."""

    def contains(self, other: "Place") -> bool:
        """Tell whether another one is this one, or below it."""
        same = (self.scheme, self.host, self.port) == (other.scheme, other.host, other.port)
        return same and other.path.startswith(self.path)


def parse_place(url: str) -> Place:
    """Understand an address.

    Raises:
        ValueError: it is none, or one that others may read in another way.
    """
    found = _ADDRESS.fullmatch(url)
    if found is None:
        raise ValueError(
            "expected https://HOST/PATH of letters, digits and -._~/+=,@ without a login, a query "
            f"or a percent sign, got {re.sub(r'//.*@', '//***@', url)!r:.100}"
        )
    host, port = found["host"].lower().rstrip("."), int(found["port"] or _PORTS[found["scheme"]])
    if port > 65535 or host_fault(host.strip("[]")):
        raise ValueError(f"expected a host and a port that can be, got {url!r:.100}")
    parts = (found["path"] or "/").strip("/").split("/")
    if any(part in ("", ".", "..") for part in parts) and parts != [""]:
        raise ValueError(f"expected a path without empty parts, '.' and '..', got {url!r:.100}")
    path = "/" + "".join(f"{part}/" for part in parts if part)
    return Place(found["scheme"], host, port, path)


class Places:
    """The list."""

    def __init__(self, urls: Iterable[str]) -> None:
        """Take the addresses that others must begin with."""
        self._places = [parse_place(url) for url in urls]

    def allow(self, url: str) -> bool:
        """Tell whether an address is one of these places, or below one; it may have a query."""
        try:
            wanted = parse_place(url.partition("?")[0])
        except ValueError:
            return False
        return any(place.contains(wanted) for place in self._places)
