"""From the steps of overlapping windows to one score for every moment."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ast_edge.frontend.fbank import FbankSpec
from ast_edge.model.spec import ModelSpec

LATENCY_SECONDS = 1.0
"""Unless configured."""
EDGE_SECONDS = 1.0
"""A score counts in full when its window shows so much sound before and after it, else less."""


@dataclass(frozen=True, eq=False)
class Moment:
    """The probabilities of all labels in one step of time."""

    start: float
    """Seconds from the stream's first sample."""
    end: float
    probabilities: NDArray[np.float32]
    """(labels,)."""


class Aggregator:
    """Average what overlapping windows of one stream say of the same moment.

    Moments follow one another without a gap, as long as the model's steps, from the stream's first
    sample on. A window scores the moments whose middle it shows; between its steps, which need not
    lie where the moments do, scores are interpolated. The nearer to an edge of the window, the less
    the score counts: there, half of what surrounds the moment is missing. Each moment is released
    once, when the newest sound is `latency` seconds past it.

    Memory is bounded by the moments of one window.
    """

    def __init__(self, spec: ModelSpec, fbank: FbankSpec, latency: float) -> None:
        """Take the network and the front end of its window, and the latency in seconds.

        More latency than the window is long changes nothing: no other window shows the moment.
        """
        self._frame = fbank.frame_shift / fbank.sample_rate  # seconds
        self._frames, patch, self._stride = spec.time_grid
        self._steps = spec.steps
        self._first_middle = patch / 2
        """Of the first step, in frames from the window's first."""
        self._edge = min(EDGE_SECONDS / self._frame, self._frames / 2)
        self._latency = min(latency / self._frame, self._frames)
        self.reset()

    def reset(self) -> None:
        """Forget everything: what follows is another stream."""
        self._next = 0
        """Number of the first moment that has not been released."""
        self._sums: NDArray[np.float64] | None = None
        """(moments, labels) weighted scores, from the next moment on."""
        self._weights = np.zeros(0)
        """(moments,)."""
        self._heard = 0.0

    def feed(self, start: float, heard: float, scores: NDArray[np.float32]) -> list[Moment]:
        """Take a window's scores (steps, labels), and return the moments that are due.

        The window begins at `start` seconds of the stream, of which there are `heard` so far: what
        it holds beyond is the silence after a recording.
        """
        self._heard = heard
        origin = round(start / self._frame)  # whole frames, as windows slide by them
        first = max(self._next, math.ceil(origin / self._stride - 0.5))
        last = min(math.ceil((origin + self._frames) / self._stride - 0.5), self._count(heard))
        numbers = np.arange(first, max(first, last))
        # Frames from the window's first to the middle of each moment.
        middles = ((numbers + 0.5) * self._stride - origin).astype(np.float64)
        self._add(first, self._interpolate(middles, scores), self._weigh(middles))
        due = math.floor(round((origin + self._frames - self._latency) / self._stride, 6))
        return self._release(min(due, self._count(heard)))

    def flush(self) -> list[Moment]:
        """Release all moments up to the newest sound: none is coming that would change them."""
        return self._release(self._count(self._heard))

    def _count(self, heard: float) -> int:
        """Return how many moments have begun, the last of which may be incomplete."""
        return math.ceil(round(heard / self._frame / self._stride, 6))

    def _interpolate(
        self, middles: NDArray[np.float64], scores: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """Return the scores (moments, labels); before the first step and after the last, theirs."""
        place = (middles - self._first_middle) / self._stride
        place = place.clip(0, self._steps - 1)
        before = np.floor(place).astype(np.int64)
        after = np.minimum(before + 1, self._steps - 1)
        share = (place - before)[:, np.newaxis]
        mixed: NDArray[np.float64] = (1 - share) * scores[before] + share * scores[after]
        return mixed

    def _weigh(self, middles: NDArray[np.float64]) -> NDArray[np.float64]:
        # At least half a frame from the edge, so that the only score of a moment counts.
        distance = np.minimum(middles, self._frames - middles).clip(0.5)
        return np.minimum(distance / self._edge, 1.0)

    def _add(self, first: int, scores: NDArray[np.float64], weights: NDArray[np.float64]) -> None:
        if self._sums is None:
            self._sums = np.zeros((0, scores.shape[1]))
        start, end = first - self._next, first - self._next + len(weights)
        missing = end - len(self._weights)
        if missing > 0:
            self._sums = np.concatenate([self._sums, np.zeros((missing, scores.shape[1]))])
            self._weights = np.concatenate([self._weights, np.zeros(missing)])
        self._sums[start:end] += weights[:, np.newaxis] * scores
        self._weights[start:end] += weights

    def _release(self, until: int) -> list[Moment]:
        """Return the moments up to the one of this number; those that no window showed are lost."""
        moments = []
        length = self._stride * self._frame
        count = max(0, until - self._next)
        if self._sums is not None:
            shown = np.flatnonzero(self._weights[:count])
            means = (self._sums[shown] / self._weights[shown, np.newaxis]).astype(np.float32)
            for row, probabilities in zip(shown.tolist(), means, strict=True):
                start = (self._next + row) * length
                moments.append(Moment(start, min(start + length, self._heard), probabilities))
            self._sums, self._weights = self._sums[count:], self._weights[count:]
        self._next += count
        return moments
