"""Files that are there whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ast_training.base.errors import TrainingError


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Give a path beside `path` to write to; what is written there takes its place at the end.

    Raises:
        TrainingError: if it cannot be written (a full disk); what was at `path` stays.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        partial.replace(path)
    except OSError as exc:
        raise TrainingError(f"{path}: cannot be written: {exc.strerror or exc}") from exc
    finally:
        if partial.exists():
            partial.unlink()
