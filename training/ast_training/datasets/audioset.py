"""AudioSet (Gemmeke 2017): the official segment lists, or the lists of the AST authors.

Google publishes ids of videos and their labels, no audio; what people have downloaded is found by
the id in the file name.
"""

import csv
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ast_edge.base.errors import ConfigError
from ast_edge.base.text_file import open_text
from ast_edge.model.label import Label
from ast_training.data.audio_files import find_audio
from ast_training.data.clip_list import ClipList, RawClip, Split
from ast_training.data.labels import label_table
from ast_training.data.tables import read_labels

LISTS: dict[str, tuple[tuple[str, Split], ...]] = {
    "balanced": (("balanced_train_segments.csv", "train"), ("eval_segments.csv", "test")),
    "full": (
        ("balanced_train_segments.csv", "train"),
        ("unbalanced_train_segments.csv", "train"),
        ("eval_segments.csv", "test"),
    ),
}
LICENCE = "labels CC BY 4.0 (Google); the audio as each video states"
TIMES = re.compile(r"(?:_(\d+(?:\.\d+)?))?(?:_\d+(?:\.\d+)?)?")
"""What follows the id in a file name: the start and the end, in seconds or milliseconds."""
ID_LENGTH = 11


@dataclass(frozen=True)
class Segment:
    """One line of a segment list."""

    id: str
    start: float
    """Seconds into the video."""
    mids: tuple[str, ...]


def read_audioset(root: Path, train: Literal["balanced", "full"]) -> ClipList:
    """List the segments whose audio is there; `test` is the official evaluation set.

    Args:
        root: searched for the segment lists and for audio named ID, YID, ID_start or ID_start_end,
            with any start in seconds or milliseconds. Its class_labels_indices.csv is used if it
            is there.
        train: which lists to train on; full has the balanced one in it.

    Raises:
        ConfigError: if a list is missing or malformed, or has an unknown label.
    """
    if not root.is_dir():
        raise ConfigError(f"{root}: no such folder")
    labels = _labels(root)
    name_of = {label.mid: label.name for label in labels}
    files: dict[str, list[Path]] = defaultdict(list)
    for path in find_audio(root).audio:
        for id in _ids(path.stem):
            files[id].append(path)
    clips: list[RawClip] = []
    missing: list[str] = []
    for file_name, split in LISTS[train]:
        table = _find(root, file_name)
        for segment in read_segments(table):
            names = _names(segment.mids, name_of, f"{table}: {segment.id}")
            found = [p for p in files.get(segment.id, ()) if _is_of(p.stem, segment)]
            if found:
                name = f"{segment.id}_{segment.start:g}"
                clips.append(RawClip(name, found[0], names, split, group=segment.id))
            else:
                missing.append(f"{segment.id}: no audio of this id below {root}")
    return ClipList("AudioSet", labels, clips, tuple(missing), LICENCE)


def read_author_lists(train: Path, test: Path | None = None) -> ClipList:
    """List the recordings of the JSON files of the AST authors.

    Args:
        train: `{"data": [{"wav": path, "labels": "/m/09x0r,/m/04rlf"}, ...]}`; paths are relative
            to the file.
        test: a file of the same kind to evaluate on.

    Raises:
        ConfigError: if a file is malformed or has an unknown label.
    """
    labels = _labels(train.parent)
    name_of = {label.mid: label.name for label in labels}
    lists: list[tuple[Path, Split]] = [(train, "train")]
    if test:
        lists.append((test, "test"))
    clips = []
    for path, split in lists:
        try:
            entries = json.loads(path.read_bytes())["data"]
            for number, entry in enumerate(entries):
                names = _names(tuple(entry["labels"].split(",")), name_of, f"{path}: data {number}")
                clips.append(RawClip(entry["wav"], path.parent / entry["wav"], names, split))
        except OSError as exc:
            raise ConfigError(f"{path}: cannot be read: {exc.strerror}") from exc
        except (ValueError, TypeError, KeyError, AttributeError) as exc:
            raise ConfigError(
                f'{path}: expected {{"data": [{{"wav": ..., "labels": ...}}]}}: {exc!r}'
            ) from exc
    return ClipList("AudioSet", labels, clips, licence=LICENCE)


def read_segments(table: Path) -> Iterator[Segment]:
    """Read a segment list: comments, then `id, start, end, "mid,mid"`.

    Raises:
        ConfigError: naming the line that is none.
    """
    with open_text(table, newline="") as file:
        for number, row in enumerate(csv.reader(file, skipinitialspace=True), 1):
            if not row or row[0].startswith("#"):
                continue
            try:
                id, start, _, mids = row
                yield Segment(id, float(start), tuple(mids.split(",")))
            except ValueError as exc:
                raise ConfigError(
                    f'{table}:{number}: expected id, start, end, "labels", got {row}'
                ) from exc


def _find(root: Path, file_name: str) -> Path:
    found = sorted(root.rglob(file_name))
    if not found:
        raise ConfigError(f"{root}: expected {file_name} there or below, got none")
    return found[0]


def _labels(root: Path) -> tuple[Label, ...]:
    found = sorted(root.rglob("class_labels_indices.csv"))
    return read_labels(found[0]) if found else label_table("audioset")


def _names(mids: tuple[str, ...], name_of: dict[str, str], where: str) -> tuple[str, ...]:
    for mid in mids:
        if mid not in name_of:
            raise ConfigError(f"{where}: {mid!r} is none of the {len(name_of)} labels")
    return tuple(name_of[mid] for mid in mids)


def _ids(stem: str) -> Iterator[str]:
    """Give the ids that a file name may have: an id may itself begin with Y and have a _ in it."""
    for skip in (0, 1) if stem.startswith("Y") else (0,):
        id, rest = stem[skip : skip + ID_LENGTH], stem[skip + ID_LENGTH :]
        if len(id) == ID_LENGTH and TIMES.fullmatch(rest):
            yield id


def _is_of(stem: str, segment: Segment) -> bool:
    """Tell whether a file is of this segment, not of another one of the same video."""
    times = TIMES.fullmatch(stem.partition(segment.id)[2])
    start = times and times.group(1)
    return start is None or any(abs(float(start) / unit - segment.start) < 1 for unit in (1, 1000))
