"""What runs a model: the protocol of engines, and the choice among them."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

log = logging.getLogger(__name__)

WindowScores = tuple[NDArray[np.float32], NDArray[np.float32] | None]
"""Of one window: its probabilities (labels,), and those of its steps (steps, labels) if any."""

ROUNDING = 0.01
"""By so much a probability may be beyond 0 or 1."""

CLOSED = "the engine is closed; open it again"


@dataclass(frozen=True, eq=False)
class Scores:
    """What a model says about a batch of windows."""

    clip: NDArray[np.float32]
    """(batch, labels) probabilities that the label sounds somewhere in the window."""
    frame: NDArray[np.float32] | None = None
    """(batch, steps, labels) probabilities that it sounds in each step; None if the bundle has no
    frame scores."""
    embedding: NDArray[np.float32] | None = None
    """(batch, width) of each window, where the bundle was opened to give it (`Bundle.embeds`)."""
    frame_embedding: NDArray[np.float32] | None = None
    """(batch, steps, width) the same of each step, where it has frame scores as well."""

    @cached_property
    def usable(self) -> NDArray[np.bool_]:
        """(batch,) whether all that is said of a window are probabilities."""
        usable = _are_probabilities(self.clip)
        return usable if self.frame is None else usable & _are_probabilities(self.frame)

    def each(self) -> Iterator[WindowScores]:
        """Yield those of one window after the other; in one that is not usable nothing is heard."""
        for row, usable in enumerate(self.usable):
            clip, frame = self.clip[row], None if self.frame is None else self.frame[row]
            if usable:
                yield clip, frame
            else:
                yield np.zeros_like(clip), None if frame is None else np.zeros_like(frame)


def _are_probabilities(scores: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Judge each row."""
    rows = scores.reshape(len(scores), -1)
    # Written so that NaN does not pass; an average in half precision may be a little above 1.
    found: NDArray[np.bool_] = np.all((rows >= -ROUNDING) & (rows <= 1 + ROUNDING), axis=1)
    return found


class Engine(Protocol):
    """A loaded model; any thread may call `run`."""

    name: str
    """As in the configuration."""
    description: str
    """One line for people: library, version, precision, threads."""
    precision: str
    """Of its arithmetic: fp32, fp16 or bf16."""

    def run(self, fbank: NDArray[np.float32]) -> Scores:
        """Score windows (batch, frames, mel_bins), any batch size from 1.

        Raises:
            EngineError: for windows of another shape, or when it is closed.
        """
        ...

    def close(self) -> None:
        """Free memory and device; twice is the same as once."""
        ...
