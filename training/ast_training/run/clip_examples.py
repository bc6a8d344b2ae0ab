"""Examples that are the clips of a data set."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ast_edge.base.errors import ConfigError
from ast_edge.frontend.fbank import fbank
from ast_training.data.augmentation import MIXUP_ALPHA, add_noise, fit_length, mask, mixup, roll
from ast_training.data.clips import ClipSet
from ast_training.data.example import Example, weakly_labelled
from ast_training.recipe.recipe import Recipe


class ClipExamples:
    """Clips as they are, augmented as in the paper (section 3.1)."""

    def __init__(self, clips: ClipSet, indices: NDArray[np.int64], recipe: Recipe) -> None:
        """Take the clips to train on, by their index in the set."""
        self.clips, self.indices, self.recipe = clips, indices, recipe
        self._spec = recipe.fbank_spec
        self._weights = balanced_weights(clips, indices) if recipe.sampler == "balanced" else None
        self._order: tuple[int, NDArray[np.int64]] | None = None

    def __len__(self) -> int:
        return len(self.indices)

    def batch(self, epoch: int, positions: Sequence[int]) -> list[Example]:
        """Load clips and augment them."""
        return [self.example(epoch, position) for position in positions]

    def example(self, epoch: int, position: int) -> Example:
        """Load the clip at this position of the epoch and augment it."""
        recipe, augment = self.recipe, self.recipe.augment
        rng = np.random.default_rng((recipe.seed, epoch, position))
        index = int(self.order(epoch)[position])
        target = self.clips.target(index)
        if rng.random() < augment.mixup:
            partner = int(self.indices[rng.integers(len(self.indices))])
            share = float(rng.beta(MIXUP_ALPHA, MIXUP_ALPHA))
            wave = mixup(self.clips.samples(index), self.clips.samples(partner), share)
            features = fbank(wave, self._spec)
            target = share * target + (1 - share) * self.clips.target(partner)
        else:
            features = self.clips.fbank(index, self._spec)
        frames = recipe.model.frames
        excess = len(features) - frames
        start = int(rng.integers(excess + 1)) if augment.crop == "random" and excess > 0 else 0
        features = fit_length(features, frames, start)
        features = mask(features, augment.freq_mask, augment.time_mask, rng)
        if augment.noise:
            features = add_noise(features, recipe.model.std, rng)
        if augment.roll:
            features = roll(features, augment.roll, rng)
        return weakly_labelled(features, target.astype(np.float32))

    def order(self, epoch: int) -> NDArray[np.int64]:
        """Return the indices of the epoch's clips (examples,), in their order."""
        if self._order is None or self._order[0] != epoch:
            rng = np.random.default_rng((self.recipe.seed, epoch))
            if self._weights is None:
                chosen = rng.permutation(self.indices)
            else:
                chosen = rng.choice(self.indices, len(self.indices), p=self._weights)
            self._order = (epoch, chosen)
        return self._order[1]

    def label_counts(self) -> NDArray[np.int64]:
        """Count the clips of each label (labels,)."""
        return self.clips.counts(self.indices)


def balanced_weights(clips: ClipSet, indices: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return each clip's probability to be drawn: the sum over its labels of 1000/(count + 0.01).

    As AST's balanced sampler for the full AudioSet; a clip without a label is never drawn.

    Raises:
        ConfigError: if no clip has a label.
    """
    per_label = 1000 / (clips.counts(indices) + 0.01)
    labels = clips.table.labels
    owners = np.repeat(np.arange(len(clips)), labels.lengths)
    sums = np.bincount(owners, weights=per_label[labels.values], minlength=len(clips))
    weights = sums[indices]
    if not weights.any():
        raise ConfigError("sampler: balanced draws clips with labels, and no clip has one")
    return np.asarray(weights / weights.sum())
