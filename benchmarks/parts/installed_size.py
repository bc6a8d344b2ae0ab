"""How much room the runtime takes on disk."""

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import ast_edge


def installed_sizes(extras: list[str]) -> dict[str, float]:
    """Return the MB of `ast_edge` and of all packages that it needs here, with extras of it.

    Raises:
        SystemExit: one is not installed.
    """
    found: dict[str, float] = {}
    waiting = [("ast-edge", frozenset(extras))]
    seen = set()
    while waiting:
        name, wanted = waiting.pop()
        if (name, wanted) in seen:
            continue
        seen.add((name, wanted))
        try:
            package = distribution(name)
        except PackageNotFoundError as exc:
            raise SystemExit(f"{name} is not installed; an extra needs it") from exc
        paths = [Path(str(package.locate_file(file))) for file in package.files or []]
        if name == "ast-edge":  # an editable installation lists nothing of it
            paths = list(Path(ast_edge.__file__).parent.rglob("*"))
        found[name] = sum(_size(path) for path in paths) / 1e6
        for text in package.requires or []:
            need = Requirement(text)
            applies = [not need.marker or need.marker.evaluate({"extra": e}) for e in ["", *wanted]]
            if any(applies):
                waiting.append((canonicalize_name(need.name), frozenset(need.extras)))
    return found


def _size(path: Path) -> int:
    """Return the bytes of a file; bytecode comes and goes."""
    return path.stat().st_size if path.is_file() and path.suffix != ".pyc" else 0
