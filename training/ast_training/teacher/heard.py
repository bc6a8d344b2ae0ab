"""What a teacher is, and what it says of a sound."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ast_training.teacher.grid import WINDOWS


@dataclass(frozen=True, eq=False)
class Heard:
    """What a teacher hears in a batch of sounds; all arrays float32."""

    clip: NDArray[np.float32]
    """Probabilities of each sound as a whole (batch, labels)."""
    steps: NDArray[np.float32]
    """Probabilities around each moment of `grid.step_middles` (batch, steps, labels)."""
    clip_features: NDArray[np.float32]
    """What the network makes of each sound (batch, features); no columns if it does not say."""
    step_features: NDArray[np.float32]
    """The same over each of `grid.WINDOWS` around each moment (batch, steps, windows, features)."""


def without_features(clip: NDArray[np.float32], steps: NDArray[np.float32]) -> Heard:
    """Return what a teacher hears that does not show its features."""
    return Heard(
        clip,
        steps,
        np.empty((len(clip), 0), np.float32),
        np.empty((*steps.shape[:2], len(WINDOWS), 0), np.float32),
    )


class Teacher(Protocol):
    """A network with its own front end."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Display names of what it knows, in the order of its probabilities."""
        ...

    def hear(self, samples: NDArray[np.float32]) -> Heard:
        """Listen to sounds (batch, samples), mono at 16 kHz."""
        ...
