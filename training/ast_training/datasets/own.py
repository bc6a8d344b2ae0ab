"""Recordings of one's own: a folder for every label, or a CSV file."""

from dataclasses import dataclass, field
from pathlib import Path

from ast_edge.errors import ConfigError
from ast_edge.events import Label
from ast_training.datasets.audio_files import find_audio
from ast_training.datasets.clip_list import SPLITS, ClipList, RawClip, Split, unknown_label
from ast_training.datasets.held_out import choose_groups
from ast_training.datasets.tables import read_rows

SPLIT_NAMES: dict[str, Split] = {
    **{name: "train" for name in ("train", "training")},
    **{name: "validation" for name in ("validation", "valid", "val", "dev")},
    **{name: "test" for name in ("test", "testing", "eval", "evaluation")},
}
"""What data sets call the three splits."""


def read_folder(root: Path, labels: tuple[Label, ...] | None = None) -> ClipList:
    """List the recordings of a folder that has one folder for every label.

    About 15 % of each label's recordings validate.

    Args:
        root: the folder; the labels' folders may have folders in them.
        labels: the labels, if not those of the folders in alphabetical order.

    Raises:
        ConfigError: if a label has no recording, or is not among `labels`.
    """
    if not root.is_dir():
        raise ConfigError(f"{root}: no such folder")
    folders = sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
    if not folders:
        raise ConfigError(f"{root}: expected a folder for every label, got none")
    labels = labels or _alphabetical({folder.name for folder in folders})
    names = [label.name for label in labels]
    found: dict[str, tuple[Path, tuple[str, ...]]] = {}
    for folder in folders:
        if folder.name not in names:
            raise ConfigError(f"{folder}: {unknown_label(folder.name, names)}")
        paths = find_audio(folder)
        if not paths:
            raise ConfigError(f"{folder}: holds no audio file; add some or remove the folder")
        found |= {p.relative_to(root).as_posix(): (p, (folder.name,)) for p in paths}
    held_out = choose_groups((name, labels_of) for name, (_, labels_of) in found.items())
    clips = [
        RawClip(name, path, labels_of, "validation" if name in held_out else "train")
        for name, (path, labels_of) in found.items()
    ]
    return ClipList(root.resolve().name, labels, clips)


@dataclass
class _Row:
    """What the rows of one file say together."""

    split: str
    fold: int
    group: str
    labels: list[str] = field(default_factory=list)


def read_csv(
    table: Path,
    *,
    audio: Path | None = None,
    labels: tuple[Label, ...] | None = None,
    group: str | None = None,
) -> ClipList:
    """List the recordings of a CSV file with the columns filename and label.

    Several labels of a file stand in one row, with ";" between, or in several rows. Columns `split`
    (train, validation, test) and `fold` (a number) are used if they are there; without `split`
    about 15 % of the groups validate.

    Args:
        table: the CSV file.
        audio: what its file names are relative to; the folder of `table` by default.
        labels: the labels, if not those of the table in alphabetical order.
        group: a column: recordings with the same value are never divided between splits. Without
            it each file is on its own.

    Raises:
        ConfigError: if a column is missing, a value unknown, or rows of one file disagree.
    """
    columns = ["filename", "label", *([group] if group else [])]
    files: dict[str, _Row] = {}
    for number, row in enumerate(read_rows(table, columns), 2):
        name, where = row["filename"], f"{table}:{number}"
        new = _Row(_split(row, where), _fold(row, where), row[group] if group else name)
        known = files.setdefault(name, new)
        if (known.split, known.fold, known.group) != (new.split, new.fold, new.group):
            raise ConfigError(f"{where}: {name} has another split, fold or group than above")
        found = (label.strip() for label in row["label"].split(";"))
        known.labels += [label for label in found if label and label not in known.labels]
    if not files:
        raise ConfigError(f"{table}: has no rows")
    held_out = (
        set()
        if any(row.split for row in files.values())
        else choose_groups((row.group, tuple(row.labels)) for row in files.values())
    )
    folder = audio or table.parent
    clips = [
        RawClip(
            name=name,
            path=folder / name,
            labels=tuple(row.labels),
            split="validation" if row.group in held_out else SPLIT_NAMES[row.split or "train"],
            fold=row.fold,
        )
        for name, row in files.items()
    ]
    labels = labels or _alphabetical({label for clip in clips for label in clip.labels})
    return ClipList(table.stem, labels, clips)


def _alphabetical(names: set[str]) -> tuple[Label, ...]:
    return tuple(Label(index, name, "") for index, name in enumerate(sorted(names)))


def _split(row: dict[str, str], where: str) -> str:
    value = (row.get("split") or "").strip().lower()
    if value and value not in SPLIT_NAMES:
        raise ConfigError(f"{where}: expected a split of {', '.join(SPLITS)}, got {value!r}")
    return value


def _fold(row: dict[str, str], where: str) -> int:
    value = (row.get("fold") or "0").strip()
    if not value.isdecimal():
        raise ConfigError(f"{where}: expected a number as fold, got {value!r}")
    return int(value)
