"""TensorBoard's event files, written at once.

PyTorch's `SummaryWriter` writes from a thread, which a full disk ends with a traceback of its own.
"""

import time
from collections.abc import Mapping
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from ast_training.base.errors import TrainingError


class Curves:
    """Figures over the steps of a run, in a new event file."""

    def __init__(self, folder: Path, step: int) -> None:
        """Open a file; points of older files beyond this step are of work that was lost.

        Raises:
            TrainingError: if it cannot be written.
        """
        self._path = folder / f"events.out.tfevents.{time.time_ns()}"  # read in order of the names
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("wb", buffering=0)
        except OSError as exc:
            raise TrainingError(f"{self._path}: cannot be written: {exc.strerror}") from exc
        self._records = RecordWriter(self._file)
        self._write(Event(file_version="brain.Event:2"))
        self._write(Event(step=step + 1, session_log=SessionLog(status=SessionLog.START)))

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Add a point to each of the named curves.

        Raises:
            TrainingError: if it cannot be written.
        """
        points = [Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()]
        self._write(Event(step=step, summary=Summary(value=points)))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, event: Event) -> None:
        event.wall_time = time.time()
        try:
            self._records.write(event.SerializeToString())
        except OSError as exc:
            raise TrainingError(f"{self._path}: cannot be written: {exc.strerror}") from exc
