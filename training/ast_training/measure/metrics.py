"""Tagging metrics as the AST paper computes them."""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from ast_edge.base.errors import ConfigError
from ast_training.measure.predictions import Predictions

Scores = NDArray[np.floating]


@dataclass(frozen=True)
class Metrics:
    """How well a model tags a set of clips."""

    labels: tuple[str, ...]
    average_precisions: NDArray[np.float64]
    """(labels,); NaN for a label that no clip has, or that every clip has."""
    aucs: NDArray[np.float64]
    """(labels,), areas under the ROC curves; NaN for the same labels."""
    positives: NDArray[np.int64]
    """(labels,) clips with the label."""
    clips: int
    accuracy: float | None
    """Share of the clips with the highest score at their label; None unless each has just one."""

    @property
    def mean_average_precision(self) -> float:
        """Mean over the labels that are not left out (macro AP, mAP)."""
        return float(np.nanmean(self.average_precisions))

    @property
    def mean_auc(self) -> float:
        """Mean over the labels that are not left out."""
        return float(np.nanmean(self.aucs))

    @property
    def d_prime(self) -> float:
        """Sensitivity index of the mean AUC (not the mean of the labels' indices)."""
        return d_prime(self.mean_auc)

    @property
    def left_out(self) -> tuple[str, ...]:
        """Labels that do not count in the means, because no clip has them or every clip does."""
        pairs = zip(self.labels, self.average_precisions, strict=True)
        return tuple(label for label, ap in pairs if np.isnan(ap))

    def as_dict(self) -> dict[str, Any]:
        """Make the value for JSON; None stands for what is not defined."""
        rows = zip(self.labels, self.average_precisions, self.aucs, self.positives, strict=True)
        return {
            "macro_ap": _rounded(self.mean_average_precision),
            "auc": _rounded(self.mean_auc),
            "d_prime": _rounded(self.d_prime),
            "accuracy": None if self.accuracy is None else _rounded(self.accuracy),
            "recordings": self.clips,
            "labels_left_out": len(self.left_out),
            "labels": {
                label: {"ap": _rounded(ap), "auc": _rounded(auc), "positives": int(positives)}
                for label, ap, auc, positives in rows
            },
        }


def measure(predictions: Predictions) -> Metrics:
    """Compute all metrics of a set of predictions.

    A label that no clip has, or that every clip has, cannot be ranked: it is left out of the means.
    A clip of which nobody said whether it has a label does not count for it.

    Raises:
        ConfigError: if that is so for all labels.
    """
    targets, scores, known = predictions.targets, predictions.scores(), predictions.known
    positives = (targets * known).sum(axis=0).astype(np.int64)
    ranked = (positives > 0) & (positives < known.sum(axis=0))
    if not ranked.any():
        raise ConfigError(
            f"expected clips with and without one of the labels, got {len(targets)} clips that "
            "have all or none: evaluate on more clips"
        )
    aps = np.full(len(positives), np.nan)
    aucs = np.full(len(positives), np.nan)
    for column in np.flatnonzero(ranked):
        rows = known[:, column]
        truth, score = targets[rows, column], scores[rows, column]
        aps[column] = average_precision_score(truth, score)
        aucs[column] = roc_auc_score(truth, score)
    return Metrics(
        labels=predictions.labels,
        average_precisions=aps,
        aucs=aucs,
        positives=positives,
        clips=len(targets),
        accuracy=accuracy(targets, scores) if predictions.single_label else None,
    )


def average_precisions(targets: Scores, scores: Scores) -> NDArray[np.float64]:
    """Compute the average precision of each label.

    Args:
        targets: (clips, labels), 0 or 1.
        scores: (clips, labels), any order-preserving score; not rounded, since ties cost precision.

    Returns:
        (labels,); NaN for a label without a positive clip.
    """
    columns = [
        average_precision_score(targets[:, i], scores[:, i]) if targets[:, i].any() else np.nan
        for i in range(targets.shape[1])
    ]
    return np.array(columns)


def mean_average_precision(targets: Scores, scores: Scores) -> float:
    """Average the average precisions over the labels that occur (macro AP, mAP)."""
    return float(np.nanmean(average_precisions(targets, scores)))


def accuracy(targets: Scores, scores: Scores) -> float:
    """Compute the share of the clips (clips, labels) whose highest score is at their one label."""
    return float((targets.argmax(axis=1) == scores.argmax(axis=1)).mean())


def d_prime(auc: float) -> float:
    """Convert an area under the ROC curve to the sensitivity index; infinite at 0 and 1."""
    if not 0 < auc < 1:
        return math.copysign(math.inf, auc - 0.5)
    return math.sqrt(2) * NormalDist().inv_cdf(auc)


def _rounded(value: float) -> float | None:
    return round(float(value), 5) if math.isfinite(value) else None
