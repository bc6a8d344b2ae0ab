"""Files that are there whole or not at all."""

import os
import shutil
from pathlib import Path

from ast_edge.evaluation.errors import OutputError


def write_output(path: Path, text: str, *, backup: bool = False) -> None:
    """Write a file in one step; with `backup` the one before it stays, as `<name>.bak`.

    Raises:
        OutputError: if it cannot be written; what was there stays.
    """
    target = path.resolve()  # what a link points to, not the link
    partial = target.with_name(target.name + ".partial")
    try:
        with partial.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, partial)
            if backup:
                shutil.copy2(target, target.with_name(target.name + ".bak"))
        partial.replace(target)
    except OSError as exc:
        raise OutputError(f"{path}: cannot be written: {exc.strerror or exc}") from exc
    finally:
        partial.unlink(missing_ok=True)
