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


def activities(
    samples: NDArray[np.float32], sample_rate: int, pause: float = 0.3
) -> tuple[Activity, ...]:
    """Find the sounding parts of a recording (samples,), in order; none in silence.

    A part lies within 30 dB of the loudest 30 ms and 6 dB above the quietest tenth, if that is
    not itself sound (a steady sound has no quiet tenth). Parts less than `pause` seconds apart
    are one: syllables, steps, the beeps of an alarm.
    """
    step = round(STEP_SECONDS * sample_rate)
    count = len(samples) // step
    if count < 3:
        return ()
    power = np.square(samples[: count * step].reshape(count, step), dtype=np.float64).mean(axis=1)
    power = np.convolve(power, np.full(3, 1 / 3), mode="same")
    loudest = float(power.max())
    if loudest <= 1e-10:  # -100 dBFS
        return ()
    threshold = loudest * 10 ** (-RANGE_DB / 10)
    floor = float(np.quantile(power, 0.1)) * 10**0.6
    if floor < loudest * 10**-1.2:
        threshold = max(threshold, floor)
    return tuple(
        Activity(start * STEP_SECONDS, end * STEP_SECONDS)
        for start, end in _runs(power >= threshold, pause)
        if (end - start) * STEP_SECONDS >= SHORTEST_SECONDS
    )


def _runs(active: NDArray[np.bool_], pause: float) -> list[tuple[int, int]]:
    """Return [start, end) of the runs of True, those with a short pause between them joined."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], active.astype(np.int8), [0]])))
    runs: list[tuple[int, int]] = []
    for start, end in edges.reshape(-1, 2).tolist():
        if runs and (start - runs[-1][1]) * STEP_SECONDS < pause:
            runs[-1] = runs[-1][0], end
        else:
            runs.append((start, end))
    return runs
