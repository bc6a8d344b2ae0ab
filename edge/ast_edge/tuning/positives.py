"""Recordings of the sounds themselves, to see how many of them are still found."""

import math
import unicodedata
from collections.abc import Collection, Mapping
from pathlib import Path

from ast_edge.base.yaml_file import did_you_mean
from ast_edge.evaluation.errors import EvaluationError
from ast_edge.evaluation.span import Span
from ast_edge.evaluation.truth.annotations import (
    find_labels,
    list_files,
    match_recordings,
    read_annotations,
    references,
)
from ast_edge.model.bundle import Bundle
from ast_edge.model.label import Label

References = Mapping[Label, list[Span]]
"""Where labels sound in a recording."""


def in_folders(folder: Path, labels: Collection[Label]) -> dict[Path, References]:
    """Return the recordings of a folder that has a folder for each label, with its name or slug.

    The sound may be anywhere in them.

    Raises:
        EvaluationError: for a folder with the name of no label, with the nearest match.
    """
    if not folder.is_dir():
        raise EvaluationError(f"{folder}: expected a folder with one folder for each label")
    known = {name: label for label in labels for name in (label.slug, _nfc(label.name))}
    found: dict[Path, References] = {}
    for one in sorted(path for path in folder.iterdir() if path.is_dir()):
        name = _nfc(one.name)  # macOS has decomposed names
        if name not in known:
            near = did_you_mean(name, [label.name for label in labels])
            raise EvaluationError(f"{one}: is not named after a label that is tuned{near}")
        found |= {path: {known[name]: [Span(0.0, math.inf)]} for path in list_files([one])}
    if not found:
        raise EvaluationError(f"{folder}: expected recordings in folders, got none")
    return found


def _nfc(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def in_table(
    table: Path, bundle: Bundle, labels: Collection[Label], ignored: Collection[str] = ()
) -> dict[Path, References]:
    """Return the recordings of a table of annotations, but for those of `ignored` names.

    Raises:
        EvaluationError: if the table cannot be used.
    """
    annotations = read_annotations(table)
    names = find_labels(annotations, bundle, labels, ignored)
    return {
        path: {label: references(annotations[name], label, names) for label in labels}
        for path, name in match_recordings([], annotations, table).items()
    }
