"""What AST's training loader does to clips; pure functions with an explicit random generator."""

import numpy as np
from numpy.typing import NDArray

Audio = NDArray[np.float32]

MIXUP_ALPHA = 10.0
"""Both parameters of mixup's Beta distribution: most mixtures are near one half."""


def mixup(first: Audio, second: Audio, share: float) -> Audio:
    """Mix two waveforms (samples,), the second cut or padded to the length of the first.

    Args:
        first: the clip.
        second: its partner.
        share: of the first in the mixture; the labels are weighted by it too.
    """
    partner = second[: len(first)]
    mixed = np.float32(share) * first
    mixed[: len(partner)] += np.float32(1 - share) * partner
    return mixed


def fit_length(features: Audio, frames: int, start: int = 0) -> Audio:
    """Cut features (n, mels) to `frames` from `start`, or pad them at the end with 0.

    The 0 stands in the logarithmic domain, before normalisation: far louder than silence, but what
    the published checkpoints were trained with.
    """
    features = features[start : start + frames]
    missing = frames - len(features)
    return np.pad(features, ((0, missing), (0, 0))) if missing else features


def mask(features: Audio, freq_mask: int, time_mask: int, rng: np.random.Generator) -> Audio:
    """SpecAugment: overwrite one band of mel bins and one stretch of frames with 0.

    The 0 is written before normalisation, as in AST's training code. A mask is at least one bin
    or frame narrower than its parameter.
    """
    features = features.copy()
    for axis, largest in ((1, freq_mask), (0, time_mask)):
        width = int(rng.random() * min(largest, features.shape[axis]))
        start = int(rng.random() * (features.shape[axis] - width))
        features[(slice(None),) * axis + (slice(start, start + width),)] = 0
    return features


def add_noise(features: Audio, std: float, rng: np.random.Generator) -> Audio:
    """Add uniform noise of random strength, up to 0.1 in normalised features (Speech Commands).

    AST adds it after normalisation, by (x - mean) / (2 std); here that is part of the model, so
    the noise is scaled instead.
    """
    noise = rng.random(features.shape, dtype=np.float32)
    return features + noise * np.float32(rng.random() / 10 * 2 * std)


def roll(features: Audio, largest: int, rng: np.random.Generator) -> Audio:
    """Shift features (frames, mels) in time, by -largest to largest - 1 frames around the end."""
    return np.roll(features, int(rng.integers(-largest, largest)), axis=0)
