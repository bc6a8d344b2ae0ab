"""What the false alarms of all labels say about one that has had few."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ast_edge.tuning.alarms import GRID

LABELS = 0.5
"""How alike the rates of labels are: the shape of the gamma distribution that they are drawn from.
With 0.5 most of the false alarms are of a few labels."""
BURST = 4.0
"""False alarms come together, so that so many say no more than one."""

Array = NDArray[np.float64]


def mean_rates(ons: Sequence[Array], rates: Sequence[Array]) -> Array:
    """Return the mean over the labels of the rates with each `on` of the grid (grid,).

    Below the lowest `on` that was tried of a label it has its last rate.

    Args:
        ons: of each label, the values tried (tried,), which fall.
        rates: of each label, false alarms per hour with each (tried,), which rise.
    """
    rising = -np.array(GRID)
    each = [np.interp(rising, -of_label, rate) for of_label, rate in zip(ons, rates, strict=True)]
    mean: Array = np.mean(each, axis=0)
    return mean


def lifted(ons: Array, rates: Array, mean: Array, hours: float) -> Array:
    """Return a label's rates (tried,), where it had few false alarms nearer to those of all.

    That none was heard in some rooms says little of others: what is silent in ten may be the noise
    of the eleventh. The posterior mean of a gamma distribution around the mean of all labels, where
    that is the higher figure; a label that had many is believed.

    Source: empirical Bayes for Poisson rates, Robbins 1956; Gelman et al. 2013, section 2.7.
    """
    expected = np.interp(-ons, -np.array(GRID), mean)
    heard = hours / BURST
    posterior = expected * (LABELS + rates * heard) / (LABELS + expected * heard)
    higher: Array = np.maximum(rates, posterior)
    return higher
