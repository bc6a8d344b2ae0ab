"""Where a label may sound, of which nobody has said whether it does.

Noise that was recorded through an open window may hold birds, and who wrote "dog" did not say
whether it barks. An event that is told there is neither right nor a false alarm.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from ast_edge.evaluation.errors import EvaluationError
from ast_edge.evaluation.false_alarms import is_near
from ast_edge.evaluation.span import Span
from ast_edge.evaluation.truth.annotations import (
    Annotations,
    find_labels,
    read_annotations,
    references,
)
from ast_edge.model.bundle import Bundle
from ast_edge.model.label import Label

Unsure = Mapping[Label, Sequence[Span]]
"""Of a recording, by label or group; those without such stretches may be missing."""


def is_undecided(references: Iterable[Span], unsure: Iterable[Span], detected: Span) -> bool:
    """Tell whether an event may be right: it has to do with no reference, but with `unsure`."""
    return any(is_near(one, detected) for one in unsure) and not any(
        is_near(one, detected) for one in references
    )


def read_unsure(
    tables: Iterable[Path],
    recordings: Collection[Path],
    bundle: Bundle,
    labels: Collection[Label],
    ignored: Collection[str] = (),
) -> dict[Path, Unsure]:
    """Read tables with the columns of annotations; return what they say of each recording.

    A table names recordings by their path as seen from its own folder, or by their names if they
    are elsewhere. Rows of others are left out.

    Raises:
        EvaluationError: if a table cannot be used, or names none of the recordings.
    """
    found: dict[Path, dict[Label, list[Span]]] = {path: {} for path in recordings}
    for table in tables:
        annotations = read_annotations(table)
        names = find_labels(annotations, bundle, labels, ignored)
        rows = _rows_of(recordings, annotations, table)
        if not rows:
            raise EvaluationError(
                f"{table}: names none of the {len(recordings)} recordings, but for example "
                f"{next(iter(annotations))}"
            )
        for path, name in rows.items():
            for label in labels:
                if spans := references(annotations[name], label, names):
                    found[path][label] = sorted([*found[path].get(label, ()), *spans])
    return dict(found)


def _rows_of(recordings: Iterable[Path], annotations: Annotations, table: Path) -> dict[Path, str]:
    """Find the rows of recordings. A file beside the table is meant itself, not its namesakes."""
    beside = {(table.parent / name).resolve(): name for name in annotations}
    elsewhere = {Path(name).name: name for path, name in beside.items() if not path.exists()}
    found = {path: beside.get(path.resolve()) or elsewhere.get(path.name) for path in recordings}
    return {path: name for path, name in found.items() if name}
