"""Training examples that are soundscapes of one window, with targets for every step."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from ast_edge.fbank import FbankSpec, fbank
from ast_edge.spec import ModelSpec
from ast_training.augmentation import mask
from ast_training.examples import Example
from ast_training.soundscapes.composer import Composer, PlacedEvent

AUDIBLE_SECONDS = 0.06
"""A label counts for the clip when as much of it is in the window."""


class SoundscapeExamples:
    """Composes example after example; the same seed, epoch and position give the same one."""

    def __init__(self, composer: Composer, model: ModelSpec, spec: FbankSpec, seed: int) -> None:
        """Take the composer, and window and steps of the model."""
        self.composer, self.model, self.spec, self.seed = composer, model, spec, seed

    def __len__(self) -> int:
        return self.composer.config.examples_per_epoch

    def example(self, epoch: int, position: int) -> Example:
        """Compose one example."""
        rng, config = np.random.default_rng((self.seed, epoch, position)), self.composer.config
        count = 0 if rng.random() < config.negatives else 1 + int(rng.poisson(config.events - 1))
        length = self.spec.samples_in(self.model.frames)
        others = int(rng.random() < config.distractors)
        scape = self.composer.compose(length / self.spec.sample_rate, count, rng, others=others)
        features = fbank(scape.samples[:length], self.spec)
        return Example(
            mask(features, config.freq_mask, config.time_mask, rng),
            clip_targets(scape.events, self.model.labels),
            frame_targets(scape.events, self.model, self.spec),
        )


def clip_targets(events: Iterable[PlacedEvent], labels: int) -> NDArray[np.float32]:
    """Return 1 for every label that is audible in the window (labels,)."""
    heard = np.zeros(labels)
    for event in events:
        heard[event.label] += event.offset - event.onset
    return (heard >= AUDIBLE_SECONDS).astype(np.float32)


def frame_targets(
    events: Iterable[PlacedEvent], model: ModelSpec, spec: FbankSpec
) -> NDArray[np.float32]:
    """Return 1 where the middle of a step lies in an event (steps, labels).

    Without a frame head there are no steps.
    """
    steps = model.steps if model.frame_head else 0
    targets = np.zeros((steps, model.labels), np.float32)
    shift = spec.frame_shift_ms / 1000
    middles = (np.arange(steps) * model.stride[1] + model.patch[1] / 2) * shift
    for event in events:
        # A short sound between two middles is in the step nearest to it.
        inside = (middles >= event.onset) & (middles < event.offset)
        if steps and not inside.any():
            inside[np.abs(middles - (event.onset + event.offset) / 2).argmin()] = True
        targets[inside, event.label] = 1
    return targets
