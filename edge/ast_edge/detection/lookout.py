"""Which of many labels a step shows: few, so that only these are looked at one by one."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ast_edge.model.label import Label

FEW = 4
"""So many are asked in turn sooner than one comparison of arrays has begun."""


class Lookout:
    """Find those of some labels whose probability is not below their `off`.

    A label is known by its place among them. One comparison of arrays is for all: with AudioSet's
    527 labels that is a fiftieth of what it takes to ask them in turn.
    """

    def __init__(self, off: Mapping[Label, float]) -> None:
        """Look out for the labels in `off`."""
        self._pairs = [(label.index, value) for label, value in off.items()]
        self._columns = np.array([label.index for label in off], np.intp)
        # In double precision, as a single score is compared: else a threshold would be rounded.
        self._off = np.array(list(off.values()), np.float64)

    def shown(self, probabilities: NDArray[np.float32]) -> list[int]:
        """Return the places of those that the probabilities (labels + groups,) show, ascending.

        One that is no number is not below anything, so its label is among them.
        """
        if len(self._pairs) <= FEW:
            pairs = enumerate(self._pairs)
            return [n for n, (column, off) in pairs if not probabilities.item(column) < off]
        below = probabilities.take(self._columns) < self._off
        found: list[int] = (~below).nonzero()[0].tolist()
        return found

    def set_off(self, place: int, off: float) -> None:
        """Compare a label with another `off` from now on."""
        self._off[place] = off
        self._pairs[place] = (self._pairs[place][0], off)
