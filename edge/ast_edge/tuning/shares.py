"""How labels divide a wish among them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

EVEN = 0.2
"""Part of the wish of which every label gets the same, whatever it finds."""


@dataclass(frozen=True, eq=False)
class Trial:
    """What a label costs and finds for each value of `on` that may be chosen, which fall."""

    rates: NDArray[np.float64]
    """(tried,) false alarms per hour that are expected."""
    recalls: NDArray[np.float64] | None
    """(tried,) share of its references that is found; None without references."""


def divide(wish: float, trials: Sequence[Trial]) -> list[float]:
    """Divide a rate so that the labels find, on average, as much as they can for it.

    A false alarm is allowed where most is found for it, at the same price for all labels
    (Lagrange). Labels without references, of which nobody knows what they find, get what they
    would have got had all got the same.
    """
    same = wish / len(trials)
    floor = EVEN * same
    measured = [trial for trial in trials if trial.recalls is not None]
    pool = (1 - EVEN) * same * len(measured)
    low, high = -20.0, 20.0  # logarithm of the price, in recall per false alarm an hour
    for _ in range(50):
        price = (low + high) / 2
        if sum(_extra(trial, np.exp(price), floor) for trial in measured) <= pool:
            high = price
        else:
            low = price
    return [
        same if trial.recalls is None else floor + _extra(trial, np.exp(high), floor)
        for trial in trials
    ]


def _extra(trial: Trial, price: float, floor: float) -> float:
    """Return what a label takes beyond its floor at this price."""
    assert trial.recalls is not None
    cost = np.append(0.0, (np.maximum.accumulate(trial.rates) - floor).clip(0))
    recalls = np.append(0.0, trial.recalls)  # a label may be left with what it cannot use
    return float(cost[np.argmax(recalls - price * cost)])
