"""What sounds in recordings of which nobody said so: speech and music in the noise of a room."""

import csv
import io
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ast_edge.base.files import write_files
from ast_training.data.audio_cache import AudioCache
from ast_training.data.tables import MAY_COLUMNS, MAY_SEPARATOR
from ast_training.teacher.heard import Teacher


@dataclass(frozen=True)
class Overheard:
    """The labels that may be heard in one recording."""

    pack: str
    filename: str
    """As the pack's table has it."""
    labels: tuple[str, ...]
    """By how sure the teachers are."""


def overhear(
    cache: AudioCache,
    folders: Mapping[str, Path],
    teachers: Sequence[Teacher],
    labels: Collection[str],
    sure: float,
) -> Iterator[Overheard]:
    """Let teachers listen to recordings, and yield what they hear in each.

    A label may be heard where all teachers that know it are so sure of it in some half second.

    Args:
        cache: the recordings.
        folders: of each pack's audio.
        teachers: each with its own opinion; together they would hide who has none.
        labels: those that are asked for.
        sure: probability.
    """
    for number, recording in enumerate(cache.recordings):
        found = heard_by_all(teachers, cache.samples(number), sure)
        name = recording.path.relative_to(folders[recording.pack]).as_posix()
        yield Overheard(recording.pack, name, tuple(one for one in found if one in labels))


def heard_by_all(
    teachers: Sequence[Teacher], samples: NDArray[np.float32], sure: float
) -> list[str]:
    """Return the labels that all teachers hear in a sound (samples,), the surest first."""
    least: dict[str, float] = {}
    for teacher in teachers:
        loudest = teacher.hear(samples[None]).steps[0].max(axis=0, initial=0.0)
        for label, score in zip(teacher.labels, loudest.tolist(), strict=True):
            least[label] = min(least.get(label, 1.0), score)
    return sorted((one for one in least if least[one] >= sure), key=lambda one: -least[one])


def write_overheard(path: Path, rows: Iterable[Overheard]) -> None:
    """Write a table for a pack's `may_table`; a file that was there stays until it is whole."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(MAY_COLUMNS)
    for row in rows:
        table.writerow([row.pack, row.filename, MAY_SEPARATOR.join(row.labels)])
    write_files({path: text.getvalue().encode()})
