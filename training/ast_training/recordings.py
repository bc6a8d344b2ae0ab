"""Labelled recordings: the tables of a recipe's packs, split by source, and their audio."""

import csv
import hashlib
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ast_edge.errors import AudioError, ConfigError
from ast_training.datasets.clip_list import SPLITS, Split
from ast_training.datasets.decoding import AudioBytes, decode, resample
from ast_training.packs import PackConfig, Role
from ast_training.recipe import Recipe

log = logging.getLogger(__name__)


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


def read_recordings(recipe: Recipe) -> list[Recording]:
    """List the recordings of all packs; no source is in two splits.

    What packs disagree about is for testing if one says so, else for validation; the others leave
    it out.

    Raises:
        ConfigError: if a table lacks a column that the recipe names.
    """
    columns = {name: i for i, name in enumerate(recipe.labels)}
    rows = [r for name, pack in recipe.packs.items() for r in _read_pack(name, pack, columns)]
    split_of: dict[str, Split] = {}
    for row in sorted(rows, key=lambda row: SPLITS.index(row.split)):
        split_of[row.group] = row.split
    return [row for row in rows if row.split == split_of[row.group]]


def _read_pack(name: str, pack: PackConfig, columns: dict[str, int]) -> Iterator[Recording]:
    with pack.table.open(newline="", encoding="utf-8") as file:
        table = csv.DictReader(file, restval="")
        named = {pack.filename, pack.label, pack.group or "", *pack.validation, *pack.skip}
        missing = named - {"", *(table.fieldnames or ())}
        if missing:
            raise ConfigError(f"{pack.table}: has no column {min(missing)!r} (packs.{name})")
        rows = [r for r in table if not any(text in r[c] for c, text in pack.skip.items())]
    splits = _splits(name, pack, rows)
    for row in rows:
        target = pack.labels.get(row[pack.label], pack.labels.get("*", ""))
        if target is not None:
            group = _group(name, pack, row)
            yield Recording(
                path=pack.audio / row[pack.filename],
                pack=name,
                targets=(columns[target],) if target else (),
                group=group,
                split=splits.get(group, "train"),
                role=pack.role,
                pause=pack.pause,
            )


def _group(name: str, pack: PackConfig, row: dict[str, str]) -> str:
    """Name the source; without one, takes that differ in a trailing number count as the same."""
    found = pack.group_pattern.search(row[pack.group]) if pack.group else None
    if found:
        return f"{pack.group_prefix or name}:{found.group()}"
    return f"{name}:{re.sub(r'[._-]*[0-9]*[.][A-Za-z0-9]+$', '', row[pack.filename])}"


def _splits(name: str, pack: PackConfig, rows: list[dict[str, str]]) -> dict[str, Split]:
    """Choose the groups that are held out: by column, and by share of the groups of every label."""
    groups_of: dict[str, set[str]] = {}
    splits: dict[str, Split] = {}
    for row in rows:
        group = _group(name, pack, row)
        groups_of.setdefault(row[pack.label], set()).add(group)
        if any(row[c] in map(str, values) for c, values in pack.validation.items()):
            splits[group] = "validation"
    for groups in groups_of.values():
        in_hash_order = sorted(groups, key=lambda g: hashlib.sha256(g.encode()).digest())
        last = round((pack.test_share + pack.validation_share) * len(groups))
        test = in_hash_order[: round(pack.test_share * len(groups))]
        splits |= dict.fromkeys(test, "test")
        for group in in_hash_order[len(test) : last]:
            splits.setdefault(group, "validation")
    return splits


def read_audio(path: Path, sample_rate: int) -> NDArray[np.float32]:
    """Read a file as mono at the wanted rate, full scale at 1.0 (samples,).

    Raises:
        AudioError: if it cannot be read, is empty or cut short, or holds samples that are not
            finite.
    """
    return resample(decode(AudioBytes(path)), sample_rate)


class AudioCache:
    """Recordings decoded once and kept in memory as 16-bit samples."""

    def __init__(self, recordings: Sequence[Recording], sample_rate: int) -> None:
        """Decode all recordings; those that cannot be used are logged and left out."""
        self.sample_rate = sample_rate
        self.recordings: list[Recording] = []
        self._samples: list[NDArray[np.int16]] = []
        for recording in recordings:
            try:
                samples = read_audio(recording.path, sample_rate)
            except AudioError as exc:
                log.warning("left out: %s", exc)
                continue
            self.recordings.append(recording)
            # The scale of 16-bit files, which are kept as they are.
            self._samples.append(np.rint(samples * 32768).clip(-32768, 32767).astype(np.int16))

    def __len__(self) -> int:
        return len(self.recordings)

    def samples(self, index: int) -> NDArray[np.float32]:
        """Return recording `index` (samples,), full scale at 1.0."""
        return self._samples[index].astype(np.float32) / np.float32(32768)
