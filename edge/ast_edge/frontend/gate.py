"""The silence gate: which windows hold nothing but quiet, so that the model need not look."""

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ast_edge.audio.level import FLOOR_DBFS
from ast_edge.frontend.fbank import FbankSpec

FLOOR_RISE = 0.1
"""Decibels per second by which the noise floor follows sound that lasts."""
FLOOR_FALL = 20.0
"""Decibels per second by which it follows sound that ceases."""


@dataclass(frozen=True)
class GateSettings:
    """What counts as quiet: all that is below either limit."""

    level: float | None = None
    """dBFS."""
    above_floor: float | None = None
    """Decibels above the noise floor, which is tracked."""


class Gate:
    """Tell quiet stretches of a stream from others.

    A stretch is loud if any 10 ms of it (a frame shift) are, short enough for a click to stand out.
    Any cutting of the stream gives the same answers. Memory: the loud chunks of one window.
    """

    def __init__(self, settings: GateSettings, spec: FbankSpec) -> None:
        """Prepare for sound at the sample rate of a front end."""
        self._settings = settings
        self._chunk = spec.frame_shift
        # Chunks end where frames do, so that the newest frame of a window is judged with it.
        self._lead = (spec.frame_shift - spec.frame_length) % spec.frame_shift
        seconds = self._chunk / spec.sample_rate
        self._rise, self._fall = FLOOR_RISE * seconds, FLOOR_FALL * seconds
        self._rest = np.zeros(self._lead, np.float32)
        self._loud: deque[int] = deque()
        """Numbers of loud chunks, ascending."""
        self._count = 0
        # Not the first level, which may be an event's: a floor that is too low skips nothing.
        self._floor = FLOOR_DBFS

    def feed(self, samples: NDArray[np.float32]) -> None:
        """Take the next samples (n,)."""
        sound = np.concatenate([self._rest, samples])
        whole = len(sound) - len(sound) % self._chunk
        self._rest = sound[whole:].copy()
        chunks = sound[:whole].reshape(-1, self._chunk)
        power = chunks.var(axis=1, dtype=np.float64)  # a constant offset is no sound
        for level in (10 * np.log10(np.maximum(power, 10 ** (FLOOR_DBFS / 10)))).tolist():
            self._take(level)

    def is_quiet(self, start: int, end: int) -> bool:
        """Tell whether the samples from `start` to `end` are quiet; `start` never goes back.

        What lies in a chunk that ends after `end` is left to the next stretch that holds it.
        """
        first, last = ((sample + self._lead) // self._chunk for sample in (start, end))
        while self._loud and self._loud[0] < first:
            self._loud.popleft()
        return not self._loud or self._loud[0] >= last

    def reset(self) -> None:
        """Forget everything: what follows is another stream."""
        self._rest = np.zeros(self._lead, np.float32)
        self._loud.clear()
        self._count = 0
        self._floor = FLOOR_DBFS

    def _take(self, level: float) -> None:
        """Take the level of the next chunk in dBFS."""
        self._floor += min(max(level - self._floor, -self._fall), self._rise)
        if level > self._limit():
            self._loud.append(self._count)
        self._count += 1

    def _limit(self) -> float:
        limits = [FLOOR_DBFS]
        if self._settings.level is not None:
            limits.append(self._settings.level)
        if self._settings.above_floor is not None:
            limits.append(self._floor + self._settings.above_floor)
        return max(limits)
