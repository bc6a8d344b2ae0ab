"""The record of a run: a table with a row per epoch, and TensorBoard's curves beside it."""

import csv
from collections.abc import Mapping
from pathlib import Path

from ast_training.base.atomic_file import atomic_file
from ast_training.run.curves import Curves
from ast_training.run.folder import RunFolder

SHOWN = ("map", "accuracy", "events", "events_macro", "psds1", "false_alarms")
"""Figures in the line of an epoch, where there are some."""


class RunLog:
    """Writes `metrics.csv` and the folder `tensorboard` of a run; nothing if it is not active."""

    def __init__(self, run: RunFolder, *, epoch: int, step: int, active: bool = True) -> None:
        """Open the record of a run, as it was after so many epochs and steps.

        Raises:
            TrainingError: if it cannot be written.
        """
        self._path = run.metrics
        self.rows = read_rows(self._path)[:epoch]
        self.active = active
        self._curves = Curves(run.curves, step) if active else None

    def step(self, step: int, values: Mapping[str, float]) -> None:
        """Add a point to the curves of training.

        Raises:
            TrainingError: if it cannot be written.
        """
        if self._curves:
            self._curves.add(step, {f"train/{name}": value for name, value in values.items()})

    def epoch(self, step: int, row: Mapping[str, float | int | None]) -> None:
        """Add a row to the table, and its figures to the curves; None is left empty.

        Raises:
            TrainingError: if the table cannot be written; the one before stays.
        """
        self.rows.append({key: "" if v is None else str(v) for key, v in row.items()})
        if self._curves:
            _write_rows(self._path, self.rows)
            known = {f"epoch/{name}": value for name, value in row.items() if value is not None}
            self._curves.add(step, known)

    def best(self, column: str) -> float:
        """Return the highest value of a column so far; 0 at the start."""
        return max((float(row[column]) for row in self.rows if row.get(column)), default=0.0)

    def epochs_since_best(self, column: str) -> int:
        """Count the epochs since a column was first as high as it ever was; 0 where it is empty."""
        values = [float(row[column]) if row.get(column) else -1.0 for row in self.rows]
        best = max(values, default=-1.0)
        return 0 if best < 0 else len(values) - 1 - values.index(best)

    def line(self, column: str) -> str:
        """Say in a line how the last epoch went, and the best so far by a column."""
        row = self.rows[-1]
        figures = "  ".join(f"{k} {float(row[k]):.3f}" for k in SHOWN if row.get(k))
        return (
            f"epoch {row['epoch']:>3s}  loss {float(row['loss']):.4f}  {figures}  "
            f"best {self.best(column):.3f}  {float(row['clips_per_second']):.0f} clips/s"
        )

    def close(self) -> None:
        """Finish the curves."""
        if self._curves:
            self._curves.close()


def read_rows(path: Path) -> list[dict[str, str]]:
    """Read a run's `metrics.csv`; no rows if there is none."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _write_rows(path: Path, rows: list[dict[str, str]]) -> None:
    with atomic_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[-1]), restval="", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
