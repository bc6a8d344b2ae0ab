"""How loud sound is, in decibels below full scale."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FLOOR_DBFS = -90.0
"""Reported for anything quieter, digital silence included."""
SECONDS = 1.0
"""Sound over which a level is measured."""


@dataclass(frozen=True)
class Level:
    """Peak and RMS in dBFS; a full-scale sine has 0 and -3.

    A constant offset, which many cheap microphones have, is no sound.
    """

    peak: float = FLOOR_DBFS
    rms: float = FLOOR_DBFS


class LevelMeter:
    """Measures a stream second by second, however it is cut."""

    def __init__(self, sample_rate: int) -> None:
        """Take the samples a second."""
        self._sample_rate = sample_rate
        self._sound: list[NDArray[np.float32]] = []

    def feed(self, samples: NDArray[np.float32]) -> Level | None:
        """Take samples (samples, channels); return the level when a second is complete."""
        self._sound.append(samples)
        if sum(map(len, self._sound)) < SECONDS * self._sample_rate:
            return None
        level = measure(np.concatenate(self._sound))
        self._sound.clear()
        return level


def measure(samples: NDArray[np.float32]) -> Level:
    """Measure samples (samples,) or (samples, channels), full scale at 1.0."""
    if not samples.size:
        return Level()
    samples = samples - samples.mean(axis=0, dtype=np.float64)
    peak = float(np.max(np.abs(samples)))
    rms = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))
    floor = 10 ** (FLOOR_DBFS / 20)
    return Level(20 * float(np.log10(max(peak, floor))), 20 * float(np.log10(max(rms, floor))))
