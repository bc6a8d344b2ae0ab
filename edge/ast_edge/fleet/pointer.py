"""A pointer to the bundle that nodes are to use: what is told, and what of it is refused."""

import hashlib
import json
import re
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from ast_edge.base.printable import printable
from ast_edge.fleet.places import parse_place
from ast_edge.outputs.schema import SCHEMA

Scope = Literal["node", "all"]
"""Whether it was said to one node, or to all."""
SCOPES: tuple[Scope, ...] = ("node", "all")
"""The first that has one counts."""

LONGEST = 4096
"""Bytes of a payload."""
LARGEST_BUNDLE = 8 << 30
"""Bytes."""
LARGEST_SERIAL = 2**53
"""Above, JSON is read in different ways."""
LONGEST_NAME = 64
SHORT = 8
"""Digits of a sum that people are shown."""


class PointerRefused(Exception):
    """A pointer cannot be followed; the message says why, for the one who sent it."""


@dataclass(frozen=True)
class Pointer:
    """Where a bundle is, and how it is known that it is that."""

    serial: int
    """Rises with every pointer of its topic, so that an old one that comes back is known."""
    url: str
    """The folder of `bundle.json` on a web server."""
    sha256: str
    """Of `bundle.json`, which has the sums of all other files."""
    size: int
    """Bytes of all files together, at most."""
    min_version: str = ""
    """Of ast-edge; empty if any will do."""
    name: str = ""
    """What people call it."""
    drop_labels: bool = False
    """Whether labels that the configuration names and the bundle lacks may go."""

    @property
    def title(self) -> str:
        """What people are shown; no two bundles have the same."""
        return f"{self.name or 'bundle'} {self.sha256[:SHORT]}"

    @property
    def payload(self) -> str:
        """The pointer as JSON."""
        usual = {field.name: field.default for field in fields(self)}
        tree = {key: value for key, value in asdict(self).items() if value != usual[key]}
        return json.dumps({"schema": SCHEMA, **tree})

    @property
    def digest(self) -> str:
        """A hash of all that it says."""
        return hashlib.sha256(self.payload.encode()).hexdigest()


def parse_pointer(payload: bytes) -> Pointer:
    """Understand a pointer.

    Raises:
        PointerRefused: it is none; an unknown key is a typo, or of a later version.
    """
    if len(payload) > LONGEST:
        raise PointerRefused(f"expected at most {LONGEST} bytes, got {len(payload)}")
    try:
        tree = json.loads(payload)
    except (ValueError, RecursionError) as exc:
        raise PointerRefused(f"expected JSON, {exc}") from None
    if not isinstance(tree, dict) or tree.pop("schema", SCHEMA) != SCHEMA:
        raise PointerRefused(f"expected an object of schema {SCHEMA}")
    return make_pointer(tree)


def make_pointer(tree: dict[str, Any]) -> Pointer:
    """Check what a pointer is made of.

    Raises:
        PointerRefused: it cannot be.
    """
    known = {field.name for field in fields(Pointer)}
    if unknown := sorted(tree.keys() - known):
        raise PointerRefused(f"unknown key {unknown[0]!r:.60}; update ast-edge if it is no typo")
    for key in ("serial", "url", "sha256", "size"):
        if key not in tree:
            raise PointerRefused(f"lacks {key!r}")
    for key, (kind, fits, expected) in _CHECKS.items():
        value = tree.get(key)
        if key in tree and (type(value) is not kind or not fits(value)):
            raise PointerRefused(f"{key}: expected {expected}, got {value!r:.80}")
    try:
        parse_place(tree["url"])
    except ValueError as exc:
        raise PointerRefused(f"url: {exc}") from None
    return Pointer(**tree)


_CHECKS: dict[str, tuple[type, Any, str]] = {
    "serial": (int, lambda n: 0 < n < LARGEST_SERIAL, "a number from 1"),
    "url": (str, lambda text: len(text) <= 1000, "an address"),
    "sha256": (str, lambda text: re.fullmatch("[0-9a-f]{64}", text), "64 hexadecimal digits"),
    "size": (int, lambda n: 0 < n <= LARGEST_BUNDLE, f"1 to {LARGEST_BUNDLE} bytes"),
    "min_version": (str, lambda text: _numbers(text) or not text, "a version such as 1.4.0"),
    "name": (
        str,
        lambda text: len(text) <= LONGEST_NAME and printable(text) == text,
        f"at most {LONGEST_NAME} characters of one line",
    ),
    "drop_labels": (bool, lambda _: True, "true or false"),
}


def is_at_least(version: str, wanted: str) -> bool:
    """Tell whether a version is another one, or later; by their numbers alone."""
    have, want = _numbers(version), _numbers(wanted)
    length = max(len(have), len(want))
    return _padded(have, length) >= _padded(want, length)


def _numbers(version: str) -> list[int]:
    found = re.match(r"\d{1,9}(?:\.\d{1,9}){0,5}", version)
    return [int(number) for number in found[0].split(".")] if found else []


def _padded(numbers: list[int], length: int) -> list[int]:
    return numbers + [0] * (length - len(numbers))
