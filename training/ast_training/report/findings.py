"""Findings: what a model takes for what, and the clips it is surest of, rightly and wrongly.

A model's first guess for a clip is the label with the highest score. It is right if the clip has
that label, whichever others it has.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ast_training.measure.predictions import Predictions

GUESSES = 3
"""Guesses to show of a clip."""


@dataclass(frozen=True)
class Confusion:
    """How often a label is taken for another."""

    truth: str
    guess: str
    clips: int
    """Clips with the label `truth` and without `guess`, for which `guess` is the first guess."""
    positives: int
    """Clips with the label `truth`."""


@dataclass(frozen=True)
class Example:
    """One clip, its labels, and the guesses at them."""

    index: int
    """Position in the predictions."""
    clip: str
    truth: tuple[str, ...]
    guesses: tuple[tuple[str, float], ...]
    """Label and probability, the highest first."""


def confusion_matrix(predictions: Predictions) -> NDArray[np.int64]:
    """Count the clips of each label (row) by their first guess (column).

    A clip with several labels counts once, as right, if its first guess is one of them, and else
    in the row of each of them.

    Returns:
        (labels, labels).
    """
    targets, guesses = predictions.targets, predictions.scores().argmax(axis=1)
    right = _is_right(predictions, guesses)
    matrix = np.zeros((len(predictions.labels),) * 2, np.int64)
    np.add.at(matrix, (guesses[right], guesses[right]), 1)
    wrong, truths = np.nonzero(targets * ~right[:, None])
    np.add.at(matrix, (truths, guesses[wrong]), 1)
    return matrix


def frequent_confusions(predictions: Predictions, count: int) -> list[Confusion]:
    """List the pairs of labels that are confused in the most clips, the most frequent first."""
    matrix = confusion_matrix(predictions)
    np.fill_diagonal(matrix, 0)
    positives = predictions.targets.sum(axis=0)
    order = np.argsort(-matrix, axis=None, kind="stable")[:count]
    return [
        Confusion(
            predictions.labels[truth], predictions.labels[guess], int(clips), int(positives[truth])
        )
        for truth, guess in zip(*np.unravel_index(order, matrix.shape), strict=True)
        if (clips := matrix[truth, guess])
    ]


def surest(predictions: Predictions, *, right: bool, count: int) -> list[Example]:
    """List the clips with the highest first guesses, of those that are right or of the wrong ones.

    Of the clips with one and the same first guess only the surest is listed, so that there is
    something of everything.
    """
    scores, probabilities = predictions.scores(), predictions.probabilities()
    guesses = scores.argmax(axis=1)
    chosen = np.flatnonzero(_is_right(predictions, guesses) == right)
    order = chosen[np.argsort(-scores[chosen, guesses[chosen]], kind="stable")]
    _, first = np.unique(guesses[order], return_index=True)
    indices = order[np.sort(first)][:count]
    return [_example(predictions, probabilities, int(index)) for index in indices]


def _is_right(predictions: Predictions, guesses: NDArray[np.int64]) -> NDArray[np.bool_]:
    right: NDArray[np.bool_] = predictions.targets[np.arange(len(guesses)), guesses] == 1
    return right


def _example(predictions: Predictions, probabilities: NDArray[np.float32], index: int) -> Example:
    labels = predictions.labels
    best = np.argsort(-predictions.logits[index], kind="stable")[:GUESSES]
    return Example(
        index=index,
        clip=predictions.clips[index],
        truth=tuple(labels[i] for i in np.flatnonzero(predictions.targets[index])),
        guesses=tuple((labels[i], float(probabilities[index, i])) for i in best),
    )
