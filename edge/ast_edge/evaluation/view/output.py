"""What an evaluation or a tuning leaves behind."""

import shutil
from pathlib import Path

from ast_edge.base.files import atomic_file
from ast_edge.evaluation.errors import OutputError


def write_output(path: Path, text: str, *, backup: bool = False) -> None:
    """Write a file in one step; with `backup` the one before it stays, as `<name>.bak`.

    Raises:
        OutputError: if it cannot be written; what was there stays.
    """
    target = path.resolve()  # what a link points to, not the link
    try:
        with atomic_file(target, durable=True) as partial:
            with partial.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
                file.write(text)
            if target.exists():
                shutil.copymode(target, partial)
                if backup:
                    shutil.copy2(target, target.with_name(target.name + ".bak"))
    except OSError as exc:
        raise OutputError(f"{path}: cannot be written: {exc.strerror or exc}") from exc
