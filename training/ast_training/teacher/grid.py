"""Moments at which teachers say what they hear: the same for all, so that they can be combined."""

import numpy as np
from numpy.typing import NDArray

RATE = 16_000
"""Hertz of what teachers are given."""
STEP_SECONDS = 0.5
WINDOWS = (1.0, 2.0)
"""Seconds around a moment whose features are kept: short ones say when, long ones what."""


def step_count(samples: int) -> int:
    """Return the number of steps in a sound of so many samples; at least one."""
    return max(1, round(samples / RATE / STEP_SECONDS))


def step_middles(samples: int) -> NDArray[np.float64]:
    """Return the middle of every step (steps,) in seconds."""
    return STEP_SECONDS * np.arange(0.5, step_count(samples), dtype=np.float64)


def around_steps(samples: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    """Cut (batch, samples) into windows around each step (batch, steps, length).

    At the ends windows are moved inwards; a sound that is shorter gets silence behind it.
    """
    middles = (step_middles(samples.shape[1]) * RATE).astype(int)
    padded = np.pad(samples, ((0, 0), (0, max(0, length - samples.shape[1]))))
    starts = np.clip(middles - length // 2, 0, padded.shape[1] - length)
    return np.stack([padded[:, start : start + length] for start in starts], axis=1)
