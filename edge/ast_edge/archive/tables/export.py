"""The events of an archive for other programs: CSV, Audacity's labels, Raven's tables."""

import csv
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Any

from ast_edge.archive.errors import ArchiveStorageError
from ast_edge.archive.folder import Folder
from ast_edge.archive.tables.merge import shards_of
from ast_edge.archive.tables.parquet import need_pyarrow
from ast_edge.archive.tables.summary import batches_of, need_events
from ast_edge.base.files import atomic_file
from ast_edge.web.exports import harmless

Row = dict[str, Any]

_RAVEN = (
    "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\t"
    "Begin Path\tFile Offset (s)\tAnnotation\tScore\n"
)
_COLUMNS = ("file", "onset", "offset", "time", "label", "mid", "peak", "model", "parameters")


def export(path: Path, kind: str, place: Path | None = None) -> Path:
    """Write the events of all shards of a folder in one of FORMATS; return where they are.

    Raises:
        ArchiveError: it is no folder of results, a shard is not done, or there are no events.
        ArchiveStorageError: it cannot be read or written.
    """
    need_pyarrow()
    folders = shards_of(path)
    need_events(folders)
    write, name = FORMATS[kind]
    place = place or path / name
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        write(folders, place)
    except OSError as exc:
        raise ArchiveStorageError(f"{place}: cannot be written: {exc.strerror or exc}") from exc
    return place


def _csv(folders: list[Folder], place: Path) -> None:
    with atomic_file(place) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        for row in _events(folders):
            values = dict(row, time=row["time"] and row["time"].isoformat(timespec="milliseconds"))
            values["peak"] = f"{row['peak']:.4f}"
            cells = (values[column] for column in _COLUMNS)
            writer.writerow([harmless(v) if isinstance(v, str) else v for v in cells])


def _raven(folders: list[Folder], place: Path) -> None:
    """Write one table of all recordings; time goes on from one to the next, as Raven shows them."""
    began: dict[str, tuple[float, float]] = {}
    total = 0.0
    for row in _rows(folders, "files", ["file", "duration", "sample_rate"]):
        began[row["file"]] = total, row["sample_rate"] / 2
        total += row["duration"]
    with atomic_file(place) as partial, partial.open("w", encoding="utf-8") as file:
        file.write(_RAVEN)
        for number, row in enumerate(_events(folders), 1):
            start, top = began[row["file"]]
            span = f"{start + row['onset']:.3f}\t{start + row['offset']:.3f}\t0\t{top:g}"
            where = f"{_cell(row['file'])}\t{row['onset']:.3f}"
            file.write(
                f"{number}\tSpectrogram 1\t1\t{span}\t{where}\t{_cell(row['label'])}\t"
                f"{row['peak']:.4f}\n"
            )


def _audacity(folders: list[Folder], place: Path) -> None:
    """Write a track of labels for each recording with events, in folders like theirs."""
    for name, rows in groupby(_events(folders), lambda row: row["file"]):
        parts = [part for part in PurePosixPath(name).parts if part not in ("/", "..")]
        track = place.joinpath(*parts[:-1], f"{parts[-1]}.txt")
        track.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(track) as partial, partial.open("w", encoding="utf-8") as file:
            for row in rows:
                file.write(f"{row['onset']:.3f}\t{row['offset']:.3f}\t{_cell(row['label'])}\n")


FORMATS: dict[str, tuple[Callable[[list[Folder], Path], None], str]] = {
    "audacity": (_audacity, "audacity"),
    "raven": (_raven, "raven.txt"),
    "csv": (_csv, "events.csv"),
}
"""What writes each, and how it is called in the folder of results."""


def _events(folders: list[Folder]) -> Iterator[Row]:
    return _rows(folders, "events", list(_COLUMNS))


def _rows(folders: list[Folder], name: str, columns: list[str]) -> Iterator[Row]:
    for batch in batches_of(folders, name, columns):
        yield from batch.to_pylist()


def _cell(text: str) -> str:
    """Return text that neither ends a line nor a column."""
    return " ".join(text.split())
