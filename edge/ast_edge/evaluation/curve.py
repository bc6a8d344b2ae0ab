"""The probabilities of all labels over a recording."""

from array import array
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ast_edge.detection.tracker import Step


@dataclass(frozen=True, eq=False)
class Curve:
    """The steps that a tracker was fed, as arrays; see `Step`. Times in seconds."""

    onsets: NDArray[np.float64]
    """(steps,)."""
    offsets: NDArray[np.float64]
    """(steps,)."""
    nows: NDArray[np.float64]
    """(steps,)."""
    scores: NDArray[np.floating]
    """(steps, labels + groups)."""

    def step(self, number: int) -> Step:
        """Return one step as the tracker was fed it."""
        return Step(
            float(self.onsets[number]),
            float(self.offsets[number]),
            float(self.nows[number]),
            self.scores[number],
        )


class CurveRecorder:
    """Keep the steps of a recording, of which a day has millions, in as little memory as can be."""

    def __init__(self, columns: int, dtype: type[np.floating]) -> None:
        """Take the number of scores in a step, and the type to keep them as."""
        self._columns, self._dtype = columns, dtype
        self._times = array("d")
        self._scores = bytearray()

    def feed(self, step: Step) -> None:
        """Take the next step."""
        self._times.extend((step.onset, step.offset, step.now))
        self._scores += step.probabilities.astype(self._dtype).tobytes()

    def finish(self) -> Curve:
        """Return all steps."""
        onsets, offsets, nows = np.array(self._times, np.float64).reshape(-1, 3).T
        scores = np.frombuffer(self._scores, self._dtype).reshape(-1, self._columns)
        return Curve(onsets, offsets, nows, scores)
