"""Training examples: recordings placed in a window, over each other and over background noise."""

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from ast_edge.errors import ConfigError
from ast_edge.fbank import FbankSpec, fbank
from ast_training.augmentation import mask
from ast_training.packs import MixConfig
from ast_training.recordings import AudioCache

Audio = NDArray[np.float32]


class Mixer:
    """Composes example after example; the same seed and position give the same example."""

    def __init__(
        self,
        events: AudioCache,
        backgrounds: AudioCache,
        *,
        labels: int,
        frames: int,
        spec: FbankSpec,
        mix: MixConfig,
        seed: int = 0,
    ) -> None:
        """Take the training recordings; `frames` is the length of an example.

        Raises:
            ConfigError: if none of the recordings has a label.
        """
        self.events, self.backgrounds = events, backgrounds
        self.labels, self.frames, self.spec, self.mix = labels, frames, spec, mix
        self.seed = seed
        counts = Counter(t for r in events.recordings for t in r.targets)
        # The balanced sampler of AST: a recording weighs the sum over its labels of 1/count.
        weights = [sum(1 / counts[t] for t in r.targets) for r in events.recordings]
        if not any(weights):
            raise ConfigError("expected recordings with a label to train on, got none: see packs")
        self._positive = np.array(weights) / sum(weights)
        negative = np.array([not r.targets for r in events.recordings], float)
        self._negative = negative / negative.sum() if negative.any() else self._positive
        # Where a recording sounds does not change, so it is looked up once.
        self._active = [active_frames(events.samples(i), spec) for i in range(len(events))]

    def __len__(self) -> int:
        return self.mix.examples_per_epoch

    def example(self, epoch: int, position: int) -> tuple[Audio, Audio]:
        """Compose one example: fbank (frames, mel_bins) and targets (labels,)."""
        rng = np.random.default_rng((self.seed, epoch, position))
        target = np.zeros(self.labels, np.float32)
        weights = self._negative if rng.random() < self.mix.negatives else self._positive
        wave = self._place(weights, target, rng)
        if rng.random() < self.mix.second:
            loudness = self._loudness(wave) * _ratio(rng.uniform(*self.mix.second_db))
            other = self._place(self._positive if target.any() else weights, target, rng)
            wave = wave + self._at(loudness, other)
        if len(self.backgrounds) and rng.random() < self.mix.background:
            loudness = self._loudness(wave) / _ratio(rng.uniform(*self.mix.snr_db))
            wave = wave + self._at(loudness, self._background(rng))
        wave = self._at(_ratio(rng.uniform(*self.mix.level_dbfs)), wave)
        features = fbank(wave.clip(-1, 1).astype(np.float32), self.spec)
        return mask(features, self.mix.freq_mask, self.mix.time_mask, rng), target

    def _place(
        self, weights: NDArray[np.float64], target: Audio, rng: np.random.Generator
    ) -> Audio:
        """Draw a recording and put a sounding moment of it somewhere into the window."""
        index = int(rng.choice(len(weights), p=weights))
        target[list(self.events.recordings[index].targets)] = 1
        samples = self.events.samples(index)
        length = self.spec.samples_in(self.frames)
        active = self._active[index]
        moment = int(rng.choice(active)) if len(active) else len(samples) // 2
        start = moment - int(rng.uniform(0.15, 0.85) * length)
        window = np.zeros(length, np.float32)
        begin, end = max(start, 0), min(start + length, len(samples))
        window[begin - start : end - start] = samples[begin:end]
        return window

    def _background(self, rng: np.random.Generator) -> Audio:
        samples = self.backgrounds.samples(int(rng.integers(len(self.backgrounds))))
        length = self.spec.samples_in(self.frames)
        return np.resize(np.roll(samples, int(rng.integers(len(samples)))), length)

    def _loudness(self, wave: Audio) -> float:
        """RMS of the loudest 100 ms, never below -80 dBFS."""
        size = min(self.spec.sample_rate // 10, len(wave))
        parts = wave[: len(wave) // size * size].reshape(-1, size)
        return max(float(np.sqrt(np.square(parts).mean(axis=1).max())), 1e-4)

    def _at(self, loudness: float, wave: Audio) -> Audio:
        """Scale a wave to a loudness; silence stays silence."""
        return wave * np.float32(loudness / self._loudness(wave))


def active_frames(samples: Audio, spec: FbankSpec, range_db: float = 30.0) -> NDArray[np.int64]:
    """Return the middle samples of the frames whose energy is within `range_db` of the loudest."""
    frames = spec.frames_in(len(samples))
    if not frames:
        return np.zeros(0, np.int64)
    starts = np.arange(frames) * spec.frame_shift
    total = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64))])
    energy = total[starts + spec.frame_length] - total[starts]
    active = np.flatnonzero(energy > energy.max() * 10 ** (-range_db / 10))
    return active * spec.frame_shift + spec.frame_length // 2


def _ratio(db: float) -> float:
    return float(10 ** (db / 20))
