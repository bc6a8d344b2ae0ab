"""Which windows hold nothing but what has sounded before, so that the model need not look often."""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from ast_edge.frontend.fbank import LOG_FLOOR

BANDS = 16
"""Neighbouring mel bins whose levels are averaged, so that noise differs less from itself."""
BLOCK = 10
"""Frames that are judged together, by the loudest of each band: 100 ms."""
MARGIN_DB = 6.0
"""How far a band must exceed all that it has been for a whole window."""


class Novelty:
    """Tell stretches of a stream in which nothing new sounds.

    A block of 100 ms is new if a band of it is clearly louder than in the whole window before it.
    What ceases is not new. Any cutting of the stream gives the same answers. Memory: the levels
    and the new blocks of one window.
    """

    def __init__(self, frames: int, mel_bins: int) -> None:
        """Compare with so many frames of so many mel bins."""
        edges = np.linspace(0, mel_bins, min(BANDS, mel_bins) + 1).astype(np.int64)
        self._starts, self._widths = edges[:-1], np.diff(edges).astype(np.float32)
        self._margin = np.float32(MARGIN_DB * np.log(10) / 10)
        self._past = np.empty((max(1, frames // BLOCK), len(self._widths)), np.float32)
        """(blocks, bands) natural-log levels of the newest blocks, the oldest overwritten first."""
        self._new: deque[int] = deque()
        """Numbers of new blocks, ascending."""
        self._rest = np.empty((0, mel_bins), np.float32)
        self.reset()

    def feed(self, frames: NDArray[np.float32]) -> None:
        """Take the next frames (n, mel_bins)."""
        frames = np.concatenate([self._rest, frames])
        whole = len(frames) - len(frames) % BLOCK
        self._rest = frames[whole:].copy()
        levels = np.add.reduceat(frames[:whole], self._starts, axis=1) / self._widths
        for bands in levels.reshape(-1, BLOCK, len(self._widths)).max(axis=1):
            if (bands > self._past.max(axis=0) + self._margin).any():
                self._new.append(self._count)
            self._past[self._count % len(self._past)] = bands
            self._count += 1

    def is_settled(self, start: int, end: int) -> bool:
        """Tell whether the frames from `start` to `end` hold nothing new; `start` never goes back.

        What lies in a block that ends after `end` is left to the next stretch that holds it.
        """
        while self._new and self._new[0] < start // BLOCK:
            self._new.popleft()
        return not self._new or self._new[0] >= end // BLOCK > 0

    def reset(self) -> None:
        """Forget everything: what follows is another stream, whose beginning is new."""
        self._rest = self._rest[:0]
        self._past[:] = LOG_FLOOR
        self._new = deque([0])
        self._count = 0
