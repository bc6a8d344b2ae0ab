"""How often something happens in rooms of which only some were heard."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

UNHEARD = 3
"""So many, or as many as in the noisiest, one more room with any is taken to have. False alarms
come in bursts: where nothing was heard, the next room may have several at once."""
DRAWS = 20_000


def rooms_interval(counts: Sequence[int], confidence: float = 0.95) -> tuple[float, float]:
    """Return where the mean of the sum lies, if rooms are independent and what is in one is not.

    Bayesian bootstrap over rooms (Rubin 1981): every room weighs as much as an exponential variable
    says, and for the upper end there is one more room, which was not heard. With one in each room,
    and one in that which was not heard, it is the interval of a Poisson variable (Garwood).

    Args:
        counts: how many there were in each room.
        confidence: share of the interval.
    """
    tail = (1 - confidence) / 2
    known, unheard = _draw(counts)
    return float(np.quantile(known, tail)), float(np.quantile(known + unheard, 1 - tail))


def rooms_limit(counts: Sequence[int], confidence: float = 0.95) -> float:
    """Return what the mean of the sum is below, one-sided; see `rooms_interval`."""
    known, unheard = _draw(counts)
    return float(np.quantile(known + unheard, confidence))


def _draw(counts: Sequence[int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw the sum (draws,) with weighted rooms, and what one more adds."""
    noisy = np.array([count for count in counts if count], np.float64)
    rng = np.random.default_rng(0)  # the same figures for the same counts
    ranks = rng.permutation(DRAWS)
    unheard = max(UNHEARD, noisy.max(initial=0.0)) * -np.log((ranks + 0.5) / DRAWS)  # exponential
    known = np.zeros(DRAWS)
    sizes, numbers = np.unique(noisy, return_counts=True)
    for size, number in zip(sizes, numbers, strict=True):
        known += size * rng.standard_gamma(number, DRAWS)
    return known, unheard
