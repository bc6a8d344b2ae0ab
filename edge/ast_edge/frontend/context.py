"""The model's window, sliding over the frames of one stream."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ast_edge.frontend.fbank import LOG_FLOOR

Frames = NDArray[np.float32]


class Context:
    """Keep the newest `frames` frames and hand them out every `hop` frames.

    Before the first frame lies silence. Memory: one window.
    """

    def __init__(self, frames: int, mel_bins: int, hop: int) -> None:
        """Start with a window of silence."""
        if hop < 1:
            raise ValueError(f"hop must be at least one frame, got {hop}")
        self._hop = hop
        self._shape = frames, mel_bins
        self.reset()

    def feed(self, frames: Frames) -> Iterator[tuple[int, Frames]]:
        """Take new frames (n, mel_bins); yield (end, window) for each hop they complete.

        `end` counts the frames of the stream up to and including the window's last.
        """
        while len(frames):
            taken = frames[: self._hop - self._count % self._hop]
            frames = frames[len(taken) :]
            self._append(taken)
            if self._count % self._hop == 0:
                yield self._count, self._past

    def flush(self) -> Iterator[tuple[int, Frames]]:
        """Yield the window that ends with the last frame, unless `feed` already has."""
        if self._count % self._hop:
            yield self._count, self._past

    def reset(self) -> None:
        """Return to silence: what follows is another stream."""
        self._past = np.full(self._shape, LOG_FLOOR, np.float32)
        self._count = 0

    def _append(self, frames: Frames) -> None:
        self._count += len(frames)
        # A new array, so that a window that was handed out is never changed.
        self._past = np.concatenate([self._past[len(frames) :], frames[-len(self._past) :]])
