"""A linear head on embeddings: logistic regression, regularised where the bank is spread out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float32]

STRENGTH = 3.0
"""Of the penalty on the weights, in whitened space; examples of each kind weigh 100 together."""
SHRINKAGE = 0.1
"""Share of the mean variance in the covariance: directions in which the bank is flat stay quiet."""
DIRECTIONS, OWN_DIRECTIONS = 192, 32
"""In which other sound is spread out the most, and the sound beside these: a head lies in them."""
MOST_SPREAD, MOST_OWN = 1000, 128
"""Rows that they are found from."""
STEPS = 12
"""Of Newton's method, which is enough."""


@dataclass(frozen=True, eq=False)
class Whitening:
    """Brings embeddings to mean 0 and covariance 1, as far as other sound goes."""

    mean: Rows
    """(width,)."""
    directions: Rows
    """(width, n) in which other sound is spread out the most."""
    scale: Rows
    """(n,) whitened is (x - mean) @ directions * scale."""
    rest: float
    """The scale of every other direction."""


def whitening(rows: Rows) -> Whitening:
    """Take what other sound looks like (rows, width)."""
    rows = _some(rows, MOST_SPREAD)
    mean = rows.mean(axis=0)
    away = rows - mean
    width = len(mean)
    # Of the two matrices with the same values the smaller one.
    wide = len(rows) < width
    values, vectors = np.linalg.eigh((away @ away.T if wide else away.T @ away) / len(rows))
    kept = slice(None, -min(DIRECTIONS, len(values)) - 1, -1)
    total = max(float(values.sum()) / width, 1e-9)
    values, vectors = values[kept], vectors[:, kept]
    some = values > 1e-6 * max(float(values[0]), 1e-9)
    values, vectors = values[some], vectors[:, some]
    if wide:
        vectors = away.T @ vectors / np.sqrt(values * len(rows))
    rest = max(total * width - float(values.sum()), 0.0) / max(width - len(values), 1)
    scale = 1 / np.sqrt((1 - SHRINKAGE) * values + SHRINKAGE * total)
    return Whitening(
        mean,
        vectors.astype(np.float32),
        scale.astype(np.float32),
        float(1 / np.sqrt((1 - SHRINKAGE) * rest + SHRINKAGE * total)),
    )


def _some(rows: Rows, most: int) -> Rows:
    if len(rows) > most:
        rows = rows[np.random.default_rng(0).choice(len(rows), most, replace=False)]
    return rows.astype(np.float32)


def _basis(sound: Rows, white: Whitening) -> Rows:
    """Return the whitened directions (width, n) in which a head of this sound (n, width) lies."""
    away = _some(sound, MOST_OWN) - white.mean
    beside = away - away @ white.directions @ white.directions.T
    size, own = np.linalg.svd(beside, full_matrices=False)[1:]
    # What is left of rounding is no direction.
    own = own[:OWN_DIRECTIONS][size[:OWN_DIRECTIONS] > 1e-3 * np.linalg.norm(away)].T
    found: Rows = np.concatenate([white.directions * white.scale, own * white.rest], axis=1)
    return found.astype(np.float32)


def fit_head(sound: Rows, other: Rows, white: Whitening) -> NDArray[np.float32]:
    """Learn weights and, behind them, the bias (width + 1,) that tell a sound from other sound.

    Args:
        sound: (n, width) embeddings of the sound.
        other: (m, width) of other sound.
        white: what other sound looks like.

    Both weigh the same, however many there are: how rare the sound is, the threshold knows.
    """
    basis = _basis(sound, white)
    rows = (np.concatenate([sound, other]) - white.mean) @ basis
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
    weights = basis.astype(np.float64) @ head[:-1]
    bias = head[-1] - white.mean @ weights
    return np.append(weights, bias).astype(np.float32)
