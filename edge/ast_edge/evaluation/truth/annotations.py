"""Annotated recordings: which sounds are in which file, from when to when."""

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ast_edge.audio.sound_file import AUDIO_SUFFIXES
from ast_edge.base.errors import BundleError
from ast_edge.base.yaml_file import did_you_mean
from ast_edge.detection.groups import Group
from ast_edge.evaluation.errors import EvaluationError
from ast_edge.evaluation.span import Span
from ast_edge.evaluation.truth.table import read_table
from ast_edge.model.bundle import Bundle
from ast_edge.model.label import Label

COLUMNS = ["filename", "onset", "offset", "event_label"]
"""As sed_eval and DESED have them."""


@dataclass(frozen=True)
class Annotation:
    """One sound in one recording."""

    name: str
    """Of its label, as it is written."""
    span: Span


Annotations = dict[str, list[Annotation]]
"""By the file's name; a recording without events has an empty list."""


def read_annotations(path: Path) -> Annotations:
    """Read a table with tabs between its columns: filename, onset, offset, event_label.

    A row with nothing but a filename is a recording without events.

    Raises:
        EvaluationError: with the line, if it cannot be read or a row makes no sense.
    """
    found: Annotations = {}
    for where, cells in read_table(path, COLUMNS):
        _read_row(cells, found, where)
    if not found:
        raise EvaluationError(f"{path}: expected a row for every event, got none")
    return found


def _read_row(cells: Sequence[str], found: Annotations, where: str) -> None:
    name, onset, offset, label = cells
    if not name:
        raise EvaluationError(f"{where}: has no filename")
    events = found.setdefault(name, [])
    if not (onset or offset or label):
        return
    try:
        span = Span(float(onset), float(offset))
    except ValueError as exc:
        raise EvaluationError(f"{where}: expected seconds, got {onset!r} and {offset!r}") from exc
    if not 0 <= span.onset < span.offset < math.inf:
        raise EvaluationError(
            f"{where}: expected an onset from 0 on and an offset after it, got {onset} and {offset}"
        )
    if not label:
        raise EvaluationError(f"{where}: has no event_label")
    events.append(Annotation(label, span))


def find_labels(
    annotations: Annotations, bundle: Bundle, labels: Collection[Label], ignored: Collection[str]
) -> dict[str, Label]:
    """Return the labels of the bundle, and the groups among `labels`, that the names stand for.

    Names in `ignored` are left out.

    Raises:
        EvaluationError: for a name that is neither, with the nearest match.
    """
    groups = [label for label in labels if isinstance(label, Group)]
    found: dict[str, Label] = {}
    for filename, events in annotations.items():
        for event in events:
            if event.name in found or event.name in ignored:
                continue
            try:
                found[event.name] = _find_label(event.name, bundle, groups)
            except BundleError as exc:
                raise EvaluationError(
                    f"{filename}: {exc} (--ignore {event.name!r} leaves it out)"
                ) from exc
    return found


def _find_label(name: str, bundle: Bundle, groups: Iterable[Group]) -> Label:
    for group in groups:
        if name in (group.name, group.slug):
            return group
    return bundle.label(name)


def references(
    events: Iterable[Annotation], label: Label, names: Mapping[str, Label]
) -> list[Span]:
    """Return where a label or a group sounds, by onset; a group sounds when a member does."""
    members = {label, *label.members} if isinstance(label, Group) else {label}
    return sorted(event.span for event in events if names.get(event.name) in members)


def check_negatives(negatives: Iterable[Path], sounding: Mapping[Path, Collection[str]]) -> None:
    """Refuse a negative in which a label sounds; `sounding` names the labels of each recording.

    Raises:
        EvaluationError: naming recording and labels.
    """
    known = {path.resolve(): labels for path, labels in sounding.items() if labels}
    for path in negatives:
        if labels := known.get(path.resolve()):
            raise EvaluationError(
                f"{path}: is one of the negatives, in which no label sounds, and is said to hold "
                f"{', '.join(sorted(labels))}; leave it out of one of both"
            )


def match_recordings(
    paths: Iterable[Path], annotations: Annotations, table: Path
) -> dict[Path, str]:
    """Find the rows of every recording: by its path beside the table, else by its file name.

    Without `paths`, these are all files of the table.

    Raises:
        EvaluationError: for a recording without rows, or with those of several files.
    """
    beside = {(table.parent / name).resolve(): name for name in annotations}
    given = list(paths)
    if not given:
        return {table.parent / name: name for name in annotations}
    return {
        path: beside.get(path.resolve()) or _by_name(path, annotations)
        for path in list_files(given)
    }


def list_files(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield files as they are named, and of folders the recordings by name, but no hidden ones.

    What is not there is for the reader to report.

    Raises:
        EvaluationError: a folder has no recordings.
    """
    for path in paths:
        yield from _recordings_in(path) if path.is_dir() else [path]


def _recordings_in(folder: Path) -> list[Path]:
    files = [path for path in folder.iterdir() if path.is_file()]
    audio = [path for path in files if path.suffix.lower() in AUDIO_SUFFIXES]
    if shown := sorted(path for path in audio if not path.name.startswith(".")):
        return shown
    raise EvaluationError(
        f"{folder}: expected recordings ({', '.join(sorted(AUDIO_SUFFIXES))}), found none among "
        f"{len(files)} files; folders in it are not searched"
    )


def _by_name(path: Path, annotations: Annotations) -> str:
    found = [name for name in annotations if Path(name).name == path.name]
    if len(found) == 1:
        return found[0]
    if found:
        raise EvaluationError(f"{path}: could be any of {', '.join(map(repr, found[:5]))}")
    near = did_you_mean(path.name, [Path(name).name for name in annotations])
    raise EvaluationError(
        f"{path}: has no row among the annotations{near if near.startswith(', did') else ''}; "
        "a recording without events needs a row with its name alone, or --negatives"
    )
