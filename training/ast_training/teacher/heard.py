"""What a teacher is, and what it says of a sound."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


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
    """The same around each moment, over each of the teacher's windows (batch, steps, windows,
    features)."""


class Teacher(Protocol):
    """A network with its own front end."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Display names of what it knows, in the order of its probabilities."""
        ...

    def hear(self, samples: NDArray[np.float32]) -> Heard:
        """Listen to sounds (batch, samples), mono at 16 kHz."""
        ...
