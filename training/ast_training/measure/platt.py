"""Platt scaling: a slope and an offset that make a label's logit mean what it says (Platt 1999)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FEWEST_SOURCES = 5
"""With fewer sources of a label its slope stays 1: they say how often, not how surely."""
LEAST_SLOPE = 0.1
"""A label that is ranked no better than by chance keeps its order all the same."""
BINS = 15
STEPS = 100
TOLERANCE = 1e-8
"""Largest gradient of the mean loss at which the fit ends."""

Values = NDArray[np.floating]


@dataclass(frozen=True)
class Platt:
    """What becomes of a logit: `slope * logit + offset`."""

    slope: float = 1.0
    offset: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.slope < np.inf or not np.isfinite(self.offset):
            raise ValueError(f"expected a positive slope and a finite offset, got {self}")

    def probabilities(self, logits: Values) -> NDArray[np.float64]:
        """Return what the scaled logits (any shape) say."""
        return _sigmoid(self.slope * logits.astype(np.float64) + self.offset)


def fit_platt(logits: Values, targets: NDArray[np.bool_], sources: int) -> Platt:
    """Fit one label by maximum likelihood, to targets that stay short of 0 and 1 as Platt's do.

    Examples of one source are much alike, so that it is the sources that count as positives.

    Args:
        logits: (n,) of the network.
        targets: (n,) whether the label sounds.
        sources: number of independent recordings that the positives come from.

    Returns:
        No change if there is no positive.
    """
    if not targets.any():
        return Platt()
    negatives = int((~targets).sum())
    wanted = np.where(targets, (sources + 1) / (sources + 2), 1 / (negatives + 2))
    z = logits.astype(np.float64)
    one = np.ones_like(z)
    slope = 1.0
    if sources >= FEWEST_SOURCES:
        slope, offset = _logistic_regression(np.stack([z, one]), np.zeros_like(z), wanted)
        if slope >= LEAST_SLOPE:
            return Platt(float(slope), float(offset))
        slope = LEAST_SLOPE
    (offset,) = _logistic_regression(one[np.newaxis], slope * z, wanted)
    return Platt(slope, float(offset))


def calibration_error(probabilities: Values, targets: NDArray[np.bool_]) -> float:
    """Return the expected calibration error (ECE) of one label in 15 bins of equal width.

    The mean over (n,) examples of how far the share of positives in their bin lies from the bin's
    mean probability (Naeini et al. 2015, Guo et al. 2017).
    """
    bins = np.minimum((probabilities * BINS).astype(int), BINS - 1)
    excess = np.bincount(bins, weights=probabilities - targets, minlength=BINS)
    return float(np.abs(excess).sum() / len(targets))


def _logistic_regression(columns: Values, fixed: Values, wanted: Values) -> NDArray[np.float64]:
    """Return the weights (k,) of the columns (k, n) that make `fixed` + sum fit best.

    Newton's method with halved steps; the loss is convex.
    """
    weights = np.zeros(len(columns))
    loss = _loss(fixed, wanted)
    for _ in range(STEPS):
        p = _sigmoid(fixed + weights @ columns)
        gradient = columns @ (p - wanted) / len(wanted)
        if np.abs(gradient).max() < TOLERANCE:
            break
        hessian = (columns * (p * (1 - p))) @ columns.T / len(wanted)
        step = np.linalg.solve(hessian + 1e-12 * np.eye(len(columns)), gradient)
        while (found := _loss(fixed + (weights - step) @ columns, wanted)) > loss:
            step /= 2
            if np.abs(step).max() < TOLERANCE:
                return weights
        weights, loss = weights - step, found
    return weights


def _loss(z: Values, wanted: Values) -> float:
    return float((np.logaddexp(0, z) - wanted * z).mean())


def _sigmoid(z: NDArray[np.float64]) -> NDArray[np.float64]:
    result: NDArray[np.float64] = np.exp(-np.logaddexp(0, -z))
    return result
