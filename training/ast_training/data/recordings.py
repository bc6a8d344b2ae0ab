"""Labelled recordings: the tables of a recipe's packs, split by source."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ast_edge.base.errors import ConfigError
from ast_training.data.clip_list import SPLITS, Split
from ast_training.data.packs import PackConfig, PackSet, Role
from ast_training.data.sources import source_of, split_of
from ast_training.data.tables import read_rows
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
        ConfigError: if a table lacks a column that a pack names.
    """
    targets = Targets(given.labels)
    rows = [r for name, pack in given.packs.items() for r in _read_pack(name, pack, targets, given)]
    split_by_group: dict[str, Split] = {}
    for row in sorted(rows, key=lambda row: SPLITS.index(row.split)):
        split_by_group[row.group] = row.split
    return [row for row in rows if row.split == split_by_group[row.group]]


def _read_pack(
    name: str, pack: PackConfig, targets: Targets, given: PackSet
) -> Iterator[Recording]:
    may = targets.heard(pack.may) + targets.open(pack.may)
    everything = range(len(given.labels))
    for row in _rows(name, pack):
        labels = _labels(pack, row, targets)
        if labels is None:
            continue
        heard, source = targets.heard(labels), source_of(name, pack, row)
        # Where nobody said anything, everything may be heard.
        may_be = targets.open(labels) if row[pack.label] else everything
        split = split_of(source, pack, row)
        if split == "train" and not given.terms.search(row["terms"]):
            continue
        yield Recording(
            path=pack.audio / row[pack.filename],
            pack=name,
            targets=heard,
            group=source,
            split=split,
            role=pack.role,
            pause=pack.pause,
            open=tuple(sorted({*may_be, *may} - set(heard))),
        )


def _rows(name: str, pack: PackConfig) -> list[dict[str, str]]:
    """Read a pack's table; every row gets its "terms"."""
    terms = {}
    if pack.terms_table:
        table = read_rows(pack.terms_table, (pack.filename, pack.terms))
        terms = {row[pack.filename]: row[pack.terms] for row in table}
    named = {pack.filename, pack.label, pack.group or "", *pack.validation, *pack.skip}
    try:
        table = read_rows(pack.table, (named | {*pack.hold_out}) - {""})
        rows = [r for r in table if not any(text in r[c] for c, text in pack.skip.items())]
    except ConfigError as exc:
        raise ConfigError(f"packs.{name}: {exc}") from exc
    for row in rows:
        said = row.get(pack.terms) or pack.licence
        row["terms"] = terms.get(row[pack.filename], said)
    return rows


def _labels(pack: PackConfig, row: dict[str, str], targets: Targets) -> list[str] | None:
    """Translate a row's labels; None leaves the recording out."""
    own = row[pack.label]
    found = []
    for label in own.split(pack.separator) if pack.separator else [own]:
        unnamed = label if pack.audioset and targets.knows(label) else ""
        target = pack.labels.get(label, pack.labels.get("*", unnamed))
        if target is None:
            return None
        if target:
            found.append(target)
    return found
