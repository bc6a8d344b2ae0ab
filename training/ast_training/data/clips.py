"""Prepared data sets: folders that `ast-train prepare` has made."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ast_edge.base.errors import AudioError, ConfigError
from ast_edge.frontend.fbank import FbankSpec, fbank
from ast_edge.model.label import Label
from ast_training.data.clip_list import SPLITS, Split
from ast_training.data.clip_table import NONE, ClipTable, read_table
from ast_training.data.decoding import AudioBytes, decode
from ast_training.data.feature_cache import FeatureCache, open_cache
from ast_training.data.segment import Kept, as_16_bit, as_floats
from ast_training.data.sources import source_of_name

FORMAT = 1
SAMPLE_RATE = FbankSpec().sample_rate
"""Hertz, of every prepared clip."""


@dataclass(frozen=True)
class Clip:
    """One prepared recording."""

    name: str
    """Unique in the set."""
    path: Path
    """Audio file or tar shard."""
    labels: tuple[int, ...]
    """Indices of its labels."""
    split: Split = "train"
    fold: int = 0
    """Fold of a cross-validation; 0 in a set without folds."""
    offset: int | None = None
    """First byte within a tar shard."""
    size: int | None = None
    group: str = ""
    """Its source: recordings of one are in one split."""

    def samples(self) -> NDArray[np.float32]:
        """Decode it (samples,), mono at SAMPLE_RATE, in steps of 16 bits.

        Raises:
            AudioError: if it cannot be decoded, or is no longer as it was prepared.
        """
        audio = AudioBytes(self.path, self.offset, self.size)
        return as_floats(as_16_bit(read_prepared(audio)))


def read_prepared(audio: AudioBytes) -> NDArray[np.float32]:
    """Decode a clip (samples,), mono at SAMPLE_RATE.

    Raises:
        AudioError: if it cannot be decoded, or is no longer as it was prepared.
    """
    sound = decode(audio)
    if (sound.rate, sound.channels) != (SAMPLE_RATE, 1):
        raise AudioError(
            f"{audio.path}: expected mono at {SAMPLE_RATE} Hz, got {sound.channels} channels at "
            f"{sound.rate} Hz: it has changed; run ast-train prepare again"
        )
    return sound.samples


@dataclass(frozen=True, eq=False)
class ClipSet:
    """The clips of a prepared folder; cheap to fork, whatever their number."""

    folder: Path
    dataset: str
    labels: tuple[Label, ...]
    mean: float
    """Of the fbanks of all clips to train on."""
    std: float
    skipped: int
    """Recordings that could not be used; `skipped.txt` has the reasons."""
    licence: str
    table: ClipTable
    cache: FeatureCache | None
    decoded: Mapping[Path, Kept] = field(default_factory=dict)
    """Clips that are read from what was decoded before, see `with_decoded`."""

    @classmethod
    def open(cls, folder: Path) -> "ClipSet":
        """Open a prepared folder.

        Raises:
            ConfigError: if it is none, or damaged.
        """
        path = folder / "set.json"
        try:
            tree = json.loads(path.read_bytes())
            if tree["format"] != FORMAT:
                raise ConfigError(
                    f"{path}: expected format {FORMAT}, got {tree['format']!r}; "
                    "run ast-train prepare again"
                )
            labels = tuple(Label(**label) for label in tree["labels"])
            table = read_table(folder / "clips.jsonl", [label.name for label in labels])
            if len(table) != sum(tree["clips"].values()):
                raise ConfigError(
                    f"{folder}: clips.jsonl and set.json disagree; run ast-train prepare again"
                )
            return cls(
                folder=folder,
                dataset=tree["dataset"],
                labels=labels,
                mean=tree["mean"],
                std=tree["std"],
                skipped=tree["skipped"],
                licence=tree["licence"],
                table=table,
                cache=open_cache(folder, table.seconds),
            )
        except FileNotFoundError as exc:
            raise ConfigError(f"{folder}: not a prepared set; run ast-train prepare") from exc
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as exc:
            raise ConfigError(f"{path}: damaged ({exc!r}); run ast-train prepare again") from exc

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, index: int) -> Clip:
        if not 0 <= index < len(self):
            raise IndexError(f"no clip {index} in a set of {len(self)}")
        table = self.table
        offset, size = int(table.offsets[index]), int(table.sizes[index])
        name = table.names.text(index)
        return Clip(
            name=name,
            path=self.folder / table.paths.text(index),
            labels=tuple(table.labels[index].tolist()),
            split=SPLITS[table.splits[index]],
            fold=int(table.folds[index]),
            offset=None if offset == NONE else offset,
            size=None if size == NONE else size,
            group=table.groups.text(index) or source_of_name(name),
        )

    @property
    def seconds(self) -> NDArray[np.float64]:
        """Length of every clip (clips,)."""
        return self.table.seconds

    def samples(self, index: int) -> NDArray[np.float32]:
        """Return a clip (samples,), mono at SAMPLE_RATE, full scale at 1.0.

        Raises:
            AudioError: if it cannot be decoded, or is no longer as it was prepared.
        """
        clip = self[index]
        kept = self.decoded.get(clip.path) if clip.offset is None else None
        return as_floats(kept.samples) if kept else clip.samples()

    def fbank(self, index: int, spec: FbankSpec) -> NDArray[np.float32]:
        """Return the fbank of a clip (frames, mel_bins), from the cache if it is of that spec.

        Raises:
            AudioError: if it cannot be decoded, or is no longer as it was prepared.
        """
        if self.cache and self.cache.spec == spec:
            return self.cache.fbank(index)
        return fbank(self.samples(index), spec)

    def target(self, index: int) -> NDArray[np.float32]:
        """Return 1 for every label of a clip and 0 for the others (labels,)."""
        target = np.zeros(len(self.labels), np.float32)
        target[self.table.labels[index]] = 1
        return target

    def select(
        self, splits: Sequence[str] | None = None, folds: Sequence[int] | None = None
    ) -> NDArray[np.int64]:
        """List the indices of the clips of these splits and folds; None means all.

        Raises:
            ConfigError: if there is no split of such a name.
        """
        chosen = np.ones(len(self), bool)
        if splits is not None:
            unknown = set(splits).difference(SPLITS)
            if unknown:
                raise ConfigError(f"expected splits of {', '.join(SPLITS)}, got {min(unknown)!r}")
            indices = [index for index, split in enumerate(SPLITS) if split in splits]
            chosen &= np.isin(self.table.splits, indices)
        if folds is not None:
            chosen &= np.isin(self.table.folds, folds)
        return np.flatnonzero(chosen)

    def counts(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Count for every label the clips among `indices` that have it (labels,)."""
        times = np.bincount(indices, minlength=len(self))  # a clip may be there more than once
        weights = np.repeat(times, self.table.labels.lengths)
        return np.bincount(
            self.table.labels.values, weights=weights, minlength=len(self.labels)
        ).astype(np.int64)
