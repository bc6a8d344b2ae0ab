"""Files that are there whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ast_edge.base import files
from ast_training.base.errors import TrainingError


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Give a path beside `path` to write to; what is written there takes its place at the end.

    Raises:
        TrainingError: if it cannot be written (a full disk); what was at `path` stays.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with files.atomic_file(path) as partial:
            yield partial
    except OSError as exc:
        raise TrainingError(f"{path}: cannot be written: {exc.strerror or exc}") from exc
