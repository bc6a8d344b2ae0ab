"""When a recording sounds: onsets and offsets of what stands out in it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

STEP_SECONDS = 0.01
RANGE_DB = 30.0
"""What is this much quieter than the loudest part is taken for silence."""
SHORTEST_SECONDS = 0.03


@dataclass(frozen=True)
class Activity:
    """A part of a recording that sounds; seconds from its start."""

    onset: float
    offset: float


def loud_runs(samples: NDArray[np.float32], sample_rate: int) -> NDArray[np.int32]:
    """Find where a recording (samples,) is loud: first step and step after the last (runs, 2).

    Loud is what lies within 30 dB of the loudest 30 ms and 6 dB above the quietest tenth, if that
    is not itself sound (a steady sound has no quiet tenth). Steps are of 10 ms.
    """
    step = round(STEP_SECONDS * sample_rate)
    count = len(samples) // step
    if count < 3:
        return np.zeros((0, 2), np.int32)
    power = np.square(samples[: count * step].reshape(count, step), dtype=np.float64).mean(axis=1)
    power = np.convolve(power, np.full(3, 1 / 3), mode="same")
    loudest = float(power.max())
    if loudest <= 1e-10:  # -100 dBFS
        return np.zeros((0, 2), np.int32)
    threshold = loudest * 10 ** (-RANGE_DB / 10)
    floor = float(np.quantile(power, 0.1)) * 10**0.6
    if floor < loudest * 10**-1.2:
        threshold = max(threshold, floor)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], power >= threshold, [0]])))
    return edges.reshape(-1, 2).astype(np.int32)


def activities(runs: NDArray[np.int32], pause: float = 0.3) -> tuple[Activity, ...]:
    """Join the runs (runs, 2) of `loud_runs` to the sounding parts of a recording, in order.

    Parts less than `pause` seconds apart are one: syllables, steps, the beeps of an alarm.
    """
    joined: list[tuple[int, int]] = []
    for start, end in runs.tolist():
        if joined and (start - joined[-1][1]) * STEP_SECONDS < pause:
            joined[-1] = joined[-1][0], end
        else:
            joined.append((start, end))
    return tuple(
        Activity(start * STEP_SECONDS, end * STEP_SECONDS)
        for start, end in joined
        if (end - start) * STEP_SECONDS >= SHORTEST_SECONDS
    )
