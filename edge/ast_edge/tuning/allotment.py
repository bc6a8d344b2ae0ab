"""How labels share a wish: more for those that find more by it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

EQUAL = 0.5
"""So much of its equal share a label keeps, whatever it finds: a few recordings of a sound do not
say that nothing is to be gained."""


@dataclass(frozen=True)
class _Step:
    """A lower threshold of one label."""

    label: int
    start: int
    end: int
    """From which of its thresholds to which."""
    worth: float
    """What it finds more for each false alarm per hour that it adds."""


def allot(
    rates: Sequence[NDArray[np.float64]],
    found: Sequence[NDArray[np.float64] | None],
    wish: float,
) -> list[float]:
    """Divide a wish, so that labels find as much as can be on average.

    A label of which there is nothing to be found gets an equal share. The others have `EQUAL` of
    theirs for certain, and the rest in common. Each begins at the lowest threshold that it can
    have for certain, or else at its highest; those that do not fit in get nothing. Then what buys
    most for a false alarm is bought first, and what is left in the end is for all of them.

    Source: greedy over upper concave hulls, which is the best there is up to the last step;
    Pisinger 1995, "A minimal algorithm for the multiple-choice knapsack problem".

    Args:
        rates: of each label, false alarms per hour with each of its thresholds (tried,), which
            fall.
        found: of each label, the share of its sounds that is found with each; None without any.
        wish: false alarms per hour of all labels together.

    Returns:
        What each label may have, in false alarms per hour.
    """
    equal = wish / len(rates)
    sharing = [label for label, values in enumerate(found) if values is not None]
    shares = [0.0 if label in sharing else equal for label in range(len(rates))]
    left = equal * len(sharing)
    rising = [np.maximum.accumulate(rate) for rate in rates]
    reached: dict[int, int] = {}
    steps = list[_Step]()
    for label in sorted(sharing, key=lambda label: float(rising[label][0])):
        first = max(float(rising[label][0]), EQUAL * equal)
        if first <= left:
            shares[label], left = first, left - first
            reached[label] = int((rising[label] <= first).sum()) - 1
            steps += _steps(label, rising[label], found[label], reached[label])
    for step in sorted(steps, key=lambda step: -step.worth):
        cost = float(rising[step.label][step.end]) - shares[step.label]
        if step.start == reached[step.label] and cost <= left:
            shares[step.label], left = shares[step.label] + cost, left - cost
            reached[step.label] = step.end
    for label in reached:
        shares[label] += left / len(reached)
    return shares


def _steps(
    label: int, rates: NDArray[np.float64], found: NDArray[np.float64] | None, start: int
) -> list[_Step]:
    """Return the steps from a threshold on, each worth less than the one before it."""
    steps = list[_Step]()
    at = start
    while found is not None and (gains := found[at + 1 :] - found[at]).max(initial=0) > 0:
        costs = rates[at + 1 :] - rates[at]
        worth = np.where(gains > 0, gains / np.maximum(costs, 1e-12), -np.inf)
        end = at + 1 + int(worth.argmax())
        steps.append(_Step(label, at, end, float(worth.max())))
        at = end
    return steps
