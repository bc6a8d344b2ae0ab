"""In what the nodes of a fleet differ."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ast_edge.fleet.info import NodeInfo

SHORT = 8
"""Digits of a sum that people are shown."""


@dataclass(frozen=True)
class Difference:
    """Something that is not the same everywhere."""

    what: str
    values: tuple[tuple[str, tuple[str, ...]], ...]
    """Each value with its nodes, the most common first; then by value."""


def differences(nodes: Sequence[NodeInfo]) -> list[Difference]:
    """Return what the nodes have not in common; nothing of fewer than two."""
    found = []
    for what, read in _READ.items():
        owners: dict[str, list[str]] = {}
        for info in nodes:
            owners.setdefault(read(info), []).append(info.node)
        if len(owners) > 1:
            ranked = sorted(owners.items(), key=lambda item: (-len(item[1]), item[0]))
            found.append(Difference(what, tuple((v, tuple(sorted(n))) for v, n in ranked)))
    return found


def bundle_text(info: NodeInfo) -> str:
    """Return the models of a node, each with the beginning of its sum."""
    return ", ".join(f"{bundle.name} {bundle.sha256[:SHORT]}" for bundle in info.bundles)


def changes(before: NodeInfo, after: NodeInfo) -> list[str]:
    """Say what a node says of itself otherwise than before, a line each."""
    return [
        f"{what}: {_either(read(before))} → {_either(read(after))}"
        for what, read in (_READ | {"since": lambda info: info.since}).items()
        if read(before) != read(after)
    ]


def _either(value: str) -> str:
    return value or "none"


def _sources(info: NodeInfo) -> str:
    return _listed(f"{name} ({source.kind})" for name, source in info.sources.items())


def _listed(words: Iterable[str]) -> str:
    return ", ".join(sorted(words))


_READ: dict[str, Callable[[NodeInfo], str]] = {
    "version": lambda info: info.version,
    "bundle": bundle_text,
    "config": lambda info: info.config[:SHORT],
    "engine": lambda info: info.engine,
    "device": lambda info: info.device,
    "sources": _sources,
    "labels": lambda info: _listed(info.labels),
}
"""What nodes are compared by."""
