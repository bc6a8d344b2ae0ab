"""A linear head on embeddings: logistic regression, regularised where the bank is spread out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float32]

STRENGTH = 3.0
"""Of the penalty on the weights, in whitened space; examples of each kind weigh 100 together."""
SHRINKAGE = 0.1
"""Share of the mean variance in the covariance: directions in which the bank is flat stay quiet."""
STEPS = 12
"""Of Newton's method, which is enough."""


@dataclass(frozen=True, eq=False)
class Whitening:
    """Brings embeddings to mean 0 and covariance 1, as far as other sound goes."""

    mean: NDArray[np.float64]
    """(width,)."""
    basis: NDArray[np.float64]
    """(width, width): whitened is (x - mean) @ basis."""


def whitening(rows: Rows) -> Whitening:
    """Take what other sound looks like (rows, width)."""
    wide = rows.astype(np.float64)
    mean = wide.mean(axis=0)
    covariance = np.cov(wide - mean, rowvar=False) if len(wide) > 1 else np.zeros((len(mean),) * 2)
    scale = max(float(np.trace(covariance)) / len(mean), 1e-9)
    shrunk = (1 - SHRINKAGE) * covariance + SHRINKAGE * scale * np.eye(len(mean))
    values, vectors = np.linalg.eigh(shrunk)
    return Whitening(mean, vectors / np.sqrt(values))


def fit_head(sound: Rows, other: Rows, white: Whitening) -> NDArray[np.float32]:
    """Learn weights and, behind them, the bias (width + 1,) that tell a sound from other sound.

    Args:
        sound: (n, width) embeddings of the sound.
        other: (m, width) of other sound.
        white: what other sound looks like.

    Both weigh the same, however many there are: how rare the sound is, the threshold knows.
    """
    rows = (np.concatenate([sound, other]) - white.mean.astype(np.float32)) @ white.basis.astype(
        np.float32
    )
    rows = np.concatenate([rows, np.ones((len(rows), 1), np.float32)], axis=1)
    target = np.repeat([1.0, 0.0], [len(sound), len(other)])
    counts = [len(sound), len(other)]
    weight = np.repeat([100 / max(count, 1) for count in counts], counts)
    penalty = np.full(rows.shape[1], STRENGTH)
    penalty[-1] = 1e-6
    head = np.zeros(rows.shape[1])
    for _ in range(STEPS):
        found = 1 / (1 + np.exp(-np.clip(rows @ head, -30, 30)))
        gradient = rows.T @ (weight * (found - target)) + penalty * head
        # In float32: half the time, and what the steps lead to is the same.
        slope = weight * np.maximum(found * (1 - found), 1e-4)
        curvature = (rows.T * slope.astype(np.float32)) @ rows
        step = np.linalg.solve(curvature + np.diag(penalty), gradient)
        head -= step
        if np.abs(step).max() < 0.01:
            break
    weights = white.basis @ head[:-1]
    bias = head[-1] - white.mean @ weights
    return np.append(weights, bias).astype(np.float32)
