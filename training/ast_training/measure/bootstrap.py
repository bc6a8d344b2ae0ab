"""Intervals by bootstrap: how much a figure depends on which sources happened to be held out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 500
CONFIDENCE = 0.95

Scores = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class ResampledAps:
    """The average precisions of labels in resamples of the sources of a set of recordings."""

    aps: NDArray[np.float64]
    """(resamples, labels); NaN where no recording with the label was drawn."""
    sources: NDArray[np.int64]
    """(labels,) sources that have the label."""

    def interval(self, label: int) -> tuple[float, float] | None:
        """Return where the AP of a label lies with 95 %; None with fewer than two sources."""
        return interval_of(self.aps[:, label]) if self.sources[label] > 1 else None

    def macro_interval(self) -> tuple[float, float] | None:
        """Return where the mean over the labels lies with 95 %."""
        return macro_interval(self.aps)


def resample_aps(
    targets: Scores,
    scores: Scores,
    sources: Sequence[str],
    known: NDArray[np.bool_] | None = None,
) -> ResampledAps:
    """Draw as many sources as there are, with replacement, again and again.

    Recordings of one source are alike, and are drawn or left together.

    Args:
        targets: (recordings, labels), 0 or 1.
        scores: (recordings, labels), any order-preserving score.
        sources: (recordings,) what each recording comes from.
        known: (recordings, labels), where it is known whether the label sounds; None if always.
    """
    names, source_of = np.unique(np.asarray(sources), return_inverse=True)
    rng = np.random.default_rng(0)  # the same figures of the same recordings
    equal = np.full(len(names), 1 / len(names))
    weights = rng.multinomial(len(names), equal, size=RESAMPLES)[:, source_of]
    columns, counted = range(targets.shape[1]), np.ones(targets.shape, bool)
    if known is not None:
        counted = known
    aps = [
        weighted_aps(targets[:, one], scores[:, one], weights * counted[:, one]) for one in columns
    ]
    counts = [len(np.unique(source_of[targets[:, one] > 0])) for one in columns]
    return ResampledAps(np.stack(aps, axis=1), np.array(counts))


def weighted_aps(
    targets: Scores, scores: Scores, weights: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Compute the average precision of a label with every row of weights (rows, recordings).

    As scikit-learn does, one after another; NaN where no recording with the label has a weight.
    """
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.diff(scores[order]) != 0, True)  # ties are taken together
    drawn = weights[:, order]
    right = np.cumsum(drawn * (targets[order] > 0), axis=1)[:, ends]
    taken = np.cumsum(drawn, axis=1)[:, ends]
    precision = right / np.maximum(taken, 1)
    steps = np.diff(right, axis=1, prepend=0)
    total = right[:, -1]
    found: NDArray[np.float64] = np.full(len(weights), np.nan)
    np.divide((steps * precision).sum(axis=1), total, out=found, where=total > 0)
    return found


def macro_interval(aps: NDArray[np.float64]) -> tuple[float, float] | None:
    """Return where the mean over the labels of resamples (resamples, labels) lies with 95 %."""
    known = ~np.isnan(aps)
    counts = known.sum(axis=1)
    means = np.where(known, aps, 0).sum(axis=1)[counts > 0] / counts[counts > 0]
    return interval_of(means)


def interval_of(values: NDArray[np.float64]) -> tuple[float, float] | None:
    """Return where resampled figures lie with 95 % (percentiles); None if there are none."""
    values = values[~np.isnan(values)]
    if not len(values):
        return None
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)
