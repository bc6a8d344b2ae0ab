"""Moments at which teachers say what they hear: the same for all, so that they can be combined."""

import numpy as np
from numpy.typing import NDArray

RATE = 16_000
"""Hertz of what teachers are given."""
STEP_SECONDS = 0.5


def step_count(samples: int) -> int:
    """Return the number of steps in a sound of so many samples; at least one."""
    return max(1, round(samples / RATE / STEP_SECONDS))


def step_middles(samples: int) -> NDArray[np.float64]:
    """Return the middle of every step (steps,) in seconds."""
    return STEP_SECONDS * np.arange(0.5, step_count(samples), dtype=np.float64)
