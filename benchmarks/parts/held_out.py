"""The recordings of a recipe that no model was trained on, and how a bundle scores them."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ast_edge.base.errors import ConfigError
from ast_edge.engines.engine import Engine
from ast_edge.frontend.fbank import fbank
from ast_edge.model.bundle import Bundle
from ast_training.data.audio_cache import AudioCache, decoded_folder
from ast_training.data.recordings import read_recordings
from ast_training.measure.bootstrap import ResampledAps, resample_aps
from ast_training.measure.metrics import average_precisions
from ast_training.measure.windows import windows_of
from ast_training.recipe.recipe import Recipe

Audio = NDArray[np.float32]
Scores = NDArray[np.float32]

HOP_SECONDS = 1.0
BATCH = 64
UNLABELLED = 5
"""So many times `per_label` recordings without any of the labels are kept."""


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Recordings, and which of the bundle's labels sound in each."""

    recordings: AudioCache
    targets: NDArray[np.bool_]
    """(recordings, labels)."""
    unknown: NDArray[np.bool_]
    """(recordings, labels), where a label may sound though nobody said so."""
    labels: tuple[str, ...]
    seconds: float
    """Longer recordings are cut off there."""

    def samples(self, index: int) -> Audio:
        """Return one recording (samples,)."""
        return self.recordings.samples(index)[: round(self.seconds * self.recordings.sample_rate)]

    def sources(self, label: int) -> list[str]:
        """Return the source of every recording with this label."""
        return [self.recordings.recordings[i].group for i in np.flatnonzero(self.targets[:, label])]

    def sample(self, per_label: int, seed: int) -> list[int]:
        """Choose up to so many recordings of each label, of as many sources as can be.

        And `UNLABELLED` times as many of no label.
        """
        rng = np.random.default_rng(seed)
        chosen: set[int] = set()
        for column in self.targets.T:
            chosen.update(self._spread(np.flatnonzero(column), rng)[:per_label])
        others = np.flatnonzero(~self.targets.any(axis=1))
        return sorted({*chosen, *self._spread(others, rng)[: UNLABELLED * per_label]})

    def _spread(self, indices: NDArray[np.int64], rng: np.random.Generator) -> list[int]:
        """Shuffle, and put the second recording of any source behind the first of all others."""
        taken: dict[str, int] = defaultdict(int)
        ranked = []
        for index in rng.permutation(indices).tolist():
            group = self.recordings.recordings[index].group
            ranked.append((taken[group], index))
            taken[group] += 1
        return [index for _, index in sorted(ranked, key=lambda one: one[0])]


def open_role(recipe: Recipe, splits: Sequence[str], role: str) -> AudioCache:
    """Decode the recordings of these splits that have this role."""
    rows = [r for r in read_recordings(recipe.pack_set) if r.split in splits and r.role == role]
    folder = decoded_folder(recipe.loop.decoded)
    return AudioCache(rows, recipe.fbank_spec.sample_rate, folder)


def open_held_out(recipe: Recipe, bundle: Bundle, splits: Sequence[str], seconds: float) -> HeldOut:
    """Decode the recordings of events of these splits.

    Raises:
        ConfigError: if the recipe has no label of a name that the bundle has, or no such recording.
    """
    names, labels = list(recipe.labels), tuple(label.name for label in bundle.labels)
    if missing := [name for name in labels if name not in names]:
        raise ConfigError(f"expected a recipe with the bundle's labels, it has no {missing[0]!r}")
    recordings = open_role(recipe, splits, "events")
    if not len(recordings):
        raise ConfigError(f"the recipe holds no recordings out for {' or '.join(splits)}")
    columns = [names.index(name) for name in labels]
    rows = recordings.recordings
    targets, unknown = (
        np.array([[column in said for column in columns] for said in each])
        for each in ([one.targets for one in rows], [one.open for one in rows])
    )
    return HeldOut(recordings, targets, unknown, labels, seconds)


def clip_scores(
    held_out: HeldOut,
    indices: Sequence[int],
    change: Callable[[int, Audio], Audio],
    bundle: Bundle,
    engine: Engine,
) -> Scores:
    """Score changed recordings (recordings, labels): the highest of their windows, one a second."""
    hop = round(HOP_SECONDS * 1000 / bundle.fbank.frame_shift_ms)
    scores = np.zeros((len(indices), len(bundle.labels)), np.float32)
    rows, windows = list[int](), list[NDArray[np.float32]]()
    for row, index in enumerate(indices):
        features = fbank(change(index, held_out.samples(index)), bundle.fbank)
        cut = windows_of(features, bundle.frames, hop)
        rows, windows = rows + [row] * len(cut), windows + cut
        if len(windows) >= BATCH or row == len(indices) - 1:
            np.maximum.at(scores, rows, engine.run(np.stack(windows)).clip)
            rows, windows = [], []
    return scores


def label_aps(
    held_out: HeldOut, scores: Scores, chosen: Sequence[int] | None = None
) -> NDArray[np.float64]:
    """Return the AP of every label (labels,), where it is known whether it sounds.

    Args:
        held_out: what was scored.
        scores: (recordings, labels).
        chosen: the recordings that they are of; None for all.
    """
    rows = np.arange(len(held_out.targets)) if chosen is None else np.asarray(chosen)
    truth, unknown = held_out.targets[rows].astype(np.float32), held_out.unknown[rows]
    return np.concatenate(
        [
            average_precisions(truth[known, n : n + 1], scores[known, n : n + 1])
            for n, known in enumerate(~unknown.T)
        ]
    )


def resampled(
    held_out: HeldOut, scores: Scores, chosen: Sequence[int] | None = None
) -> ResampledAps:
    """Return the AP of every label in resamples of the sources, as `label_aps` takes them."""
    rows = np.arange(len(held_out.targets)) if chosen is None else np.asarray(chosen)
    sources = [held_out.recordings.recordings[index].group for index in rows]
    truth = held_out.targets[rows].astype(np.float32)
    return resample_aps(truth, scores, sources, ~held_out.unknown[rows])
