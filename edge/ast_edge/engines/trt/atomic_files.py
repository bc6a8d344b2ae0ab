"""Files that are there whole or not at all, alone or together."""

from collections.abc import Mapping
from pathlib import Path

from ast_edge.base.errors import EngineError


def write_files(contents: Mapping[Path, bytes]) -> None:
    """Write files beside their places, then put them there, the last one last.

    Raises:
        EngineError: if they cannot be written (a full disk); what was there stays.
    """
    partials = {path: path.with_name(path.name + ".partial") for path in contents}
    try:
        for path in contents:
            path.parent.mkdir(parents=True, exist_ok=True)
        try:
            for path, content in contents.items():
                partials[path].write_bytes(content)
            for path, partial in partials.items():
                partial.replace(path)
        finally:
            for partial in partials.values():
                partial.unlink(missing_ok=True)
    except OSError as exc:
        raise EngineError(f"{next(iter(contents))}: cannot be written: {exc.strerror}") from exc
