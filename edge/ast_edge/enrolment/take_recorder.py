"""Takes as they are made at a microphone: from a little before the sound to a little after."""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from ast_edge.audio.level import measure

Samples = NDArray[np.float32]

FRAME = 0.05
"""Seconds over which loudness is measured."""
SETTLING = 0.5
"""Seconds of the room that are heard before a sound can begin."""
REMEMBERED = 5.0
"""Seconds of the room that say how loud it is."""
BEFORE, AFTER = 0.5, 1.0
"""Seconds that are kept before the sound, and that must be quiet after it."""
LONGEST = 12.0
"""Seconds after which a take ends in any case."""
ABOVE_DB = 12.0
"""By so much the sound begins above the room; half of that is where it ends."""
FAINTEST_DBFS = -60.0
"""What is fainter is not the sound, however quiet the room."""


class TakeRecorder:
    """Waits in a stream of samples for a sound that stands out of the room, and for its end.

    Memory is bounded by the longest take. Any cutting of the stream gives the same takes.
    """

    def __init__(self, rate: int) -> None:
        """Take the samples a second; begin before the first."""
        self._frame = round(FRAME * rate)
        self._waiting = np.zeros(0, np.float32)
        self.reset()

    def reset(self) -> None:
        """Wait for the next sound; how loud the room is must be heard anew."""
        self._room: deque[float] = deque(maxlen=round(REMEMBERED / FRAME))
        self._kept: deque[Samples] = deque(maxlen=round(BEFORE / FRAME))
        self._take: list[Samples] = []
        self._quiet = 0

    @property
    def hears(self) -> bool:
        """Whether the sound has begun."""
        return bool(self._take)

    def feed(self, samples: Samples) -> Samples | None:
        """Take samples (n,) and return a take (m,) when it is complete; the rest is for the next.

        What follows a take must be fed after a `reset`.
        """
        self._waiting = np.concatenate([self._waiting, samples])
        while len(self._waiting) >= self._frame:
            frame, self._waiting = np.split(self._waiting, [self._frame])
            if self._hear(frame):
                return np.concatenate(self._take)
        return None

    def _hear(self, frame: Samples) -> bool:
        """Take a frame and tell whether a take ends with it."""
        level = measure(frame).rms
        if not self._take:
            settled = len(self._room) >= SETTLING / FRAME
            if settled and level >= max(self._floor + ABOVE_DB, FAINTEST_DBFS):
                self._take = [*self._kept, frame]
            else:
                self._room.append(level)
                self._kept.append(frame)
            return False
        self._take.append(frame)
        loud = level >= self._floor + ABOVE_DB / 2
        self._quiet = 0 if loud else self._quiet + 1
        return self._quiet >= AFTER / FRAME or len(self._take) >= LONGEST / FRAME

    @property
    def _floor(self) -> float:
        return float(np.percentile(self._room, 50))
