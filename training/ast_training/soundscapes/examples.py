"""Training examples that are soundscapes of one window, with targets for every step."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ast_edge.frontend.fbank import FbankSpec, fbank
from ast_edge.model.spec import ModelSpec
from ast_training.data.augmentation import mask
from ast_training.data.example import NO_HINT, Example
from ast_training.soundscapes.composer import Composer, PlacedEvent, Soundscape
from ast_training.soundscapes.example_cache import ExampleCache
from ast_training.soundscapes.placed import clip_targets, frame_targets
from ast_training.soundscapes.teaching import Teaching

Array = NDArray[np.float32]

MOST_EVENTS = 128
"""That are kept of an example; there are fewer in a window of some seconds."""


class SoundscapeExamples:
    """Composes example after example; the same seed, epoch and position give the same one.

    What a teacher hears in an example, if there is one, is what is to be learnt of it.
    """

    def __init__(
        self,
        composer: Composer,
        model: ModelSpec,
        spec: FbankSpec,
        seed: int,
        teaching: Teaching | None = None,
        cache: ExampleCache | None = None,
    ) -> None:
        """Take the composer, window and steps of the model, and who teaches."""
        self.composer, self.model, self.spec, self.seed = composer, model, spec, seed
        self._undisturbed = composer.undisturbed()
        self.teaching, self.cache = teaching, cache
        self._order: tuple[int, int, NDArray[np.int64]] | None = None
        self._oldest = -1

    def __len__(self) -> int:
        return self.composer.config.examples_per_epoch

    def example(self, epoch: int, position: int) -> Example:
        """Compose one example, or take it from the cache."""
        return self.batch(epoch, [position])[0]

    def batch(self, epoch: int, positions: Sequence[int]) -> list[Example]:
        """Compose examples; a teacher hears all that are new at once."""
        keys = [self._key(epoch, position) for position in positions]
        known = {key: self._cached(key) for key in keys}
        new = [key for key, arrays in known.items() if arrays is None]
        for key, arrays in zip(new, self._compose(new), strict=True):
            known[key] = arrays
            if self.cache and self.composer.config.repeats > 1:
                self.cache.save(*key, arrays)
        return [
            self._example(known[key] or [], np.random.default_rng((self.seed, epoch, position, 1)))
            for key, position in zip(keys, positions, strict=True)
        ]

    def _key(self, epoch: int, position: int) -> tuple[int, int]:
        """Return the round in which an example is made, and its number there.

        Every epoch makes one share of its examples anew and sees the others again, which the
        epochs before it made; the first makes all.
        """
        repeats = self.composer.config.repeats
        if repeats == 1:
            return epoch, position
        age, slot = position % repeats, position // repeats
        if self._order is None or self._order[:2] != (epoch, age):
            rng = np.random.default_rng((self.seed, epoch, age))
            self._order = epoch, age, rng.permutation(-(-len(self) // repeats))
        return epoch + repeats - 1 - age, int(self._order[2][slot])

    def _cached(self, key: tuple[int, int]) -> list[Array] | None:
        if self.cache is None:
            return None
        oldest = key[0] - self.composer.config.repeats + 1
        if oldest > self._oldest:
            self.cache.forget(oldest - 1)
            self._oldest = oldest
        return self.cache.load(*key, self._shapes)

    @property
    def _shapes(self) -> list[tuple[int, ...]]:
        model = self.model
        steps = model.steps if model.frame_head else 0
        shapes: list[tuple[int, ...]] = [(model.frames, model.mel_bins), (model.labels,)]
        if self.teaching is None:
            return [*shapes, (steps, model.labels)]
        heard = self.teaching.steps(self._samples) if steps else 0
        return [*shapes, (heard, model.labels), (MOST_EVENTS, 3), (1 + heard, -1)]

    @property
    def _samples(self) -> int:
        return self.spec.samples_in(self.model.frames)

    def _compose(self, keys: Sequence[tuple[int, int]]) -> list[list[Array]]:
        scapes = [self._scape(np.random.default_rng((self.seed, *key))) for key in keys]
        features = [fbank(scape.samples[: self._samples], self.spec) for scape in scapes]
        truths = map(self._annotated, scapes) if self.teaching is None else self._taught(scapes)
        return [[x, *truth] for x, truth in zip(features, truths, strict=True)]

    def _scape(self, rng: np.random.Generator) -> Soundscape:
        config, seconds = self.composer.config, self._samples / self.spec.sample_rate
        if config.clear and rng.random() < config.clear:
            return self._undisturbed.compose(seconds, 1, rng)
        count = 0 if rng.random() < config.negatives else 1 + int(rng.poisson(config.events - 1))
        others = int(rng.random() < config.distractors)
        return self.composer.compose(seconds, count, rng, others=others)

    def _annotated(self, scape: Soundscape) -> list[Array]:
        clip = clip_targets(scape.events, self.model.labels)
        frame = frame_targets(scape.events, self.model, self.spec)
        clip[list(scape.open)] = np.nan
        frame[:, list(scape.open)] = np.nan
        return [clip, frame]

    def _taught(self, scapes: Sequence[Soundscape]) -> list[list[Array]]:
        if self.teaching is None or not scapes:
            return []
        targets = self.teaching.targets(scapes, self._samples)
        heard = self.teaching.steps(self._samples) if self.model.frame_head else 0
        return [
            [one.clip, one.steps[:heard], _rows_of(scape.events), one.hint[: 1 + heard]]
            for one, scape in zip(targets, scapes, strict=True)
        ]

    def _example(self, arrays: list[Array], rng: np.random.Generator) -> Example:
        features, clip, frame, *taught = arrays
        rows, hint = taught or (NO_HINT, NO_HINT)
        config = self.composer.config
        if self.teaching and self.model.frame_head:
            frame = self.teaching.spread(frame, self.model, self.spec)
            events = _events_of(rows) if self.teaching.doubt is not None else ()
            for label in {event.label for event in events}:
                frame[:, label] = frame_targets(events, self.model, self.spec)[:, label]
        masked = mask(features, config.freq_mask, config.time_mask, rng)
        return Example(masked, clip, frame, hint)


def _rows_of(events: Sequence[PlacedEvent]) -> Array:
    rows = np.full((MOST_EVENTS, 3), -1, np.float32)
    for row, event in zip(rows, events, strict=False):
        row[:] = event.label, event.onset, event.offset
    return rows


def _events_of(rows: Array) -> list[PlacedEvent]:
    return [PlacedEvent(int(n), on, off) for n, on, off in rows.tolist() if n >= 0]
