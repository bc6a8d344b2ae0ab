"""Recordings of one's own: a folder for every label, or a CSV file."""

import unicodedata
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from ast_edge.base.errors import ConfigError
from ast_edge.model.label import Label
from ast_training.data.audio_files import find_audio, identity
from ast_training.data.clip_list import SPLITS, ClipList, RawClip, Split, unknown_label
from ast_training.data.sources import choose_groups, source_of_name
from ast_training.data.tables import label_name, read_rows

SPLIT_NAMES: dict[str, Split] = {
    **{name: "train" for name in ("train", "training")},
    **{name: "validation" for name in ("validation", "valid", "val", "dev")},
    **{name: "test" for name in ("test", "testing", "eval", "evaluation")},
}
"""What data sets call the three splits."""


def read_folder(root: Path, labels: tuple[Label, ...] | None = None) -> ClipList:
    """List the recordings of a folder that has one folder for every label.

    About 15 % of each label's sources validate. A file that lies in the folders of several labels,
    by links, has them all.

    Args:
        root: the folder; the labels' folders may have folders in them.
        labels: the labels, if not those of the folders in alphabetical order.

    Raises:
        ConfigError: if a label has no recording, or is not among `labels`.
    """
    if not root.is_dir():
        raise ConfigError(f"{root}: no such folder")
    inside = sorted(path for path in root.iterdir() if not path.name.startswith("."))
    folders = [path for path in inside if path.is_dir()]
    if not folders:
        raise ConfigError(f"{root}: expected a folder for every label, got none")
    labels = labels or _alphabetical({label_name(folder.name) for folder in folders})
    names = [label.name for label in labels]
    files: dict[object, _File] = {}
    missing = [f"{path}: lies in no label's folder" for path in inside if path not in folders]
    for folder in folders:
        label = label_name(folder.name)
        if label not in names:
            raise ConfigError(f"{folder}: {unknown_label(label, names)}")
        found = find_audio(folder)
        if not found.audio:
            raise ConfigError(f"{folder}: holds no audio file; add some or remove the folder")
        missing += found.others
        for path in found.audio:
            name = path.relative_to(root).as_posix()
            file = files.setdefault(identity(path), _File(name, path, source_of_name(name)))
            if label not in file.labels:
                file.labels.append(label)
            elif file.path != path:
                missing.append(f"{path}: is {file.path} once more")
    held_out = choose_groups((file.group, tuple(file.labels)) for file in files.values())
    clips = [
        file.clip("validation" if file.group in held_out else "train") for file in files.values()
    ]
    return ClipList(root.resolve().name, labels, clips, tuple(missing))


@dataclass
class _File:
    """What folders, or the rows of a table, say of one file together."""

    name: str
    path: Path
    group: str
    split: str = ""
    fold: int = 0
    labels: list[str] = field(default_factory=list)

    def clip(self, split: Split) -> RawClip:
        """Return it as a recording of a split."""
        labels = tuple(self.labels)
        return RawClip(self.name, self.path, labels, split, self.fold, group=self.group)


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
    about 15 % of the groups validate. Names of one file (links) are one recording.

    Args:
        table: the CSV file.
        audio: what its file names are relative to; the folder of `table` by default.
        labels: the labels, if not those of the table in alphabetical order.
        group: a column: recordings with the same value are never divided between splits. Without
            it takes that differ in a trailing number stay together, see `source_of_name`.

    Raises:
        ConfigError: if a column is missing, a value unknown, or rows of one file disagree.
    """
    columns = ["filename", "label", *([group] if group else [])]
    files: dict[object, _File] = {}
    folder = audio or table.parent
    for number, row in enumerate(read_rows(table, columns), 2):
        name, where = row["filename"], f"{table}:{number}"
        if not name:
            raise ConfigError(f"{where}: has no filename")
        path = find_file(folder, name)
        source = row[group] if group else source_of_name(name)
        new = _File(name, path, source, _split(row, where), _fold(row, where))
        known = files.setdefault(identity(path), new)
        other_source = group and known.group != new.group
        if (known.split, known.fold) != (new.split, new.fold) or other_source:
            raise ConfigError(f"{where}: {name} has another split, fold or group than above")
        found = (label_name(label) for label in row["label"].split(";"))
        known.labels += [label for label in found if label and label not in known.labels]
    if not files:
        raise ConfigError(f"{table}: has no rows")
    held_out = (
        set()
        if any(row.split for row in files.values())
        else choose_groups((row.group, tuple(row.labels)) for row in files.values())
    )
    clips = [
        row.clip("validation" if row.group in held_out else SPLIT_NAMES[row.split or "train"])
        for row in files.values()
    ]
    labels = labels or _alphabetical({label for clip in clips for label in clip.labels})
    return ClipList(table.stem, labels, clips)


def find_file(folder: Path, name: str) -> Path:
    """Find a file that a table names, though its name may be spelt otherwise on the disk.

    An "é" is one character or two, whichever system wrote it.
    """
    if (folder / name).exists():
        return folder / name
    path = folder
    for part in PurePath(name).parts:
        forms = (part, *(unicodedata.normalize(form, part) for form in ("NFC", "NFD")))
        path = next((path / form for form in forms if (path / form).exists()), path / part)
    return path


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
