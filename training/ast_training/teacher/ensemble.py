"""Several teachers as one."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ast_training.teacher.heard import Heard, Teacher

FLOOR = 1e-6
"""What a probability of less counts as: one zero must not silence the others."""


class Ensemble:
    """Combines probabilities by their geometric mean, label by label over those who know it."""

    def __init__(self, teachers: Sequence[Teacher]) -> None:
        """Take at least one teacher; labels are in the first's order, then those it lacks."""
        self.teachers = tuple(teachers)
        self.labels = tuple(dict.fromkeys(name for t in self.teachers for name in t.labels))
        place = {name: index for index, name in enumerate(self.labels)}
        self._columns = [np.array([place[name] for name in t.labels]) for t in self.teachers]

    def hear(self, samples: NDArray[np.float32]) -> Heard:
        """Listen to sounds (batch, samples), mono at 16 kHz."""
        return self.combine([teacher.hear(samples) for teacher in self.teachers])

    def combine(self, heard: Sequence[Heard]) -> Heard:
        """Combine what each teacher heard in the same sounds; features stand side by side."""
        return Heard(
            self._mean([one.clip for one in heard]),
            self._mean([one.steps for one in heard]),
            np.concatenate([one.clip_features for one in heard], axis=-1),
            np.concatenate([one.step_features for one in heard], axis=-1),
        )

    def _mean(self, parts: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Return the geometric mean of probabilities (..., labels of each)."""
        total = np.zeros((*parts[0].shape[:-1], len(self.labels)), np.float32)
        known = np.zeros(len(self.labels), np.float32)
        for columns, probabilities in zip(self._columns, parts, strict=True):
            total[..., columns] += np.log(np.maximum(probabilities, FLOOR))
            known[columns] += 1
        return np.exp(total / known)
