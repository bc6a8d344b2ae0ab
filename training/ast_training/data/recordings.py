"""Labelled recordings: the tables of a recipe's packs, split by source."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ast_edge.base.errors import ConfigError
from ast_training.data.clip_list import SPLITS, Split
from ast_training.data.clips import ClipSet
from ast_training.data.packs import PackConfig, PackSet, Role
from ast_training.data.sources import source_of, source_of_clip, split_of
from ast_training.data.tables import read_may, read_rows
from ast_training.data.targets import Targets


@dataclass(frozen=True)
class Recording:
    """One row of a pack."""

    path: Path
    pack: str
    targets: tuple[int, ...]
    """Columns of the labels that sound in it; empty for what has none of them."""
    group: str
    """Recordings of one group come from one source and are never split."""
    split: Split
    role: Role
    pause: float
    """Seconds of silence that belong to a sound."""
    open: tuple[int, ...] = ()
    """Columns of the labels that may sound in it as well: nobody said. All, if it has no label."""


def read_recordings(given: PackSet) -> list[Recording]:
    """List the recordings of all packs; no source is in two splits.

    What packs disagree about is for testing if one says so, else for validation; the others leave
    it out.

    Raises:
        ConfigError: if a table lacks a column that a pack names, or a set was not prepared.
    """
    targets = Targets(given.labels)
    rows = [r for name, pack in given.packs.items() for r in _read_pack(name, pack, targets, given)]
    split_by_group: dict[str, Split] = {}
    for row in sorted(rows, key=lambda row: SPLITS.index(row.split)):
        split_by_group[row.group] = row.split
    return [row for row in rows if row.split == split_by_group[row.group]]


@dataclass(frozen=True)
class _Row:
    """What a pack says of a recording, in its own words."""

    path: Path
    labels: Sequence[str]
    """One that is empty if nobody said anything."""
    said: bool
    """Whether somebody did."""
    may: Sequence[str]
    """Labels that may sound as well."""
    source: str
    split: Split
    terms: str


def _read_pack(
    name: str, pack: PackConfig, targets: Targets, given: PackSet
) -> Iterator[Recording]:
    everything = range(len(given.labels))
    for row in _rows_of_set(name, pack) if pack.prepared else _rows_of_table(name, pack):
        labels = _labels(pack, row.labels, targets)
        if labels is None:
            continue
        heard = targets.heard(labels)
        # Where nobody said anything, everything may be heard.
        may_be = targets.open(labels) if row.said else everything
        may = targets.heard(row.may) + targets.open(row.may)
        if row.split == "train" and not given.terms.search(row.terms):
            continue
        yield Recording(
            path=row.path,
            pack=name,
            targets=heard,
            group=row.source,
            split=row.split,
            role=pack.role,
            pause=pack.pause,
            open=tuple(sorted({*may_be, *may} - set(heard))),
        )


def _rows_of_set(name: str, pack: PackConfig) -> Iterator[_Row]:
    """Read a prepared set, whose splits and sources stay."""
    clips = ClipSet.open(pack.prepared or Path())
    names = [label.name for label in clips.labels]
    for index in range(len(clips)):
        clip = clips[index]
        if clip.offset is not None:
            raise ConfigError(
                f"packs.{name}: {clip.path}: expected files, got a shard: run ast-train prepare "
                "with --copy"
            )
        yield _Row(
            path=clip.path,
            labels=[names[label] for label in clip.labels] or [""],
            said=bool(clip.labels),
            may=pack.may,
            source=source_of_clip(name, pack, clip.name, clip.group),
            split=clip.split,
            terms=pack.licence or clips.licence,
        )


def _rows_of_table(name: str, pack: PackConfig) -> Iterator[_Row]:
    may = read_may(pack.may_table, name) if pack.may_table else {}
    for row in _rows(name, pack):
        own, source = row[pack.label], source_of(name, pack, row)
        yield _Row(
            path=pack.audio / row[pack.filename],
            labels=own.split(pack.separator) if pack.separator else [own],
            said=bool(own),
            may=[*pack.may, *may.get(row[pack.filename], ())],
            source=source,
            split=split_of(source, pack, row),
            terms=row["terms"],
        )


def _rows(name: str, pack: PackConfig) -> list[dict[str, str]]:
    """Read a pack's table; every row gets its "terms"."""
    terms = {}
    if pack.terms_table:
        table = read_rows(pack.terms_table, (pack.filename, pack.terms))
        terms = {row[pack.filename]: row[pack.terms] for row in table}
    named = {pack.filename, pack.label, pack.group or "", *pack.validation, *pack.skip}
    try:
        table = read_rows(pack.table or Path(), (named | {*pack.hold_out}) - {""})
        rows = [r for r in table if not any(text in r[c] for c, text in pack.skip.items())]
    except ConfigError as exc:
        raise ConfigError(f"packs.{name}: {exc}") from exc
    for row in rows:
        said = row.get(pack.terms) or pack.licence
        row["terms"] = terms.get(row[pack.filename], said)
    return rows


def _labels(pack: PackConfig, own: Sequence[str], targets: Targets) -> list[str] | None:
    """Translate a recording's labels; None leaves it out."""
    found = []
    for label in own:
        unnamed = label if pack.audioset and targets.knows(label) else ""
        target = pack.labels.get(label, pack.labels.get("*", unnamed))
        if target is None:
            return None
        if target:
            found.append(target)
    return found
