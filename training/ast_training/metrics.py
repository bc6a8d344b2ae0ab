"""Tagging metrics as the AST paper computes them."""

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

Scores = NDArray[np.floating]


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
