"""How many of the reported events were right, by those that somebody has reviewed."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ast_edge.outputs.reviews import Review


@dataclass(frozen=True)
class Precision:
    """Of one label, or of all together."""

    label: str
    right: int
    wrong: int
    days: int
    """On how many days of a source they were: those of one day are often one thing many times."""
    was: Sequence[tuple[str, int]] = ()
    """What wrong ones were, where somebody said so: label and times, the most frequent first."""

    @property
    def reviewed(self) -> int:
        """Events that were reviewed."""
        return self.right + self.wrong

    @property
    def share(self) -> float:
        """Of them that were right."""
        return self.right / self.reviewed

    @property
    def interval(self) -> tuple[float, float]:
        """Where the share of all events lies with 95 % confidence, were they reviewed by chance."""
        return binomial_interval(self.right, self.reviewed)


def precisions(reviews: Sequence[Review]) -> list[Precision]:
    """Count each label that was reviewed, by name."""
    labels: dict[str, list[Review]] = defaultdict(list)
    for one in reviews:
        labels[one.label].append(one)
    return [count(label, labels[label]) for label in sorted(labels)]


def count(label: str, reviews: Sequence[Review]) -> Precision:
    """Count reviews of a label, or of all under a common name."""
    right = sum(one.is_right for one in reviews)
    days = {(one.node, one.source, int(one.onset // 86400)) for one in reviews}
    was = Counter(one.true for one in reviews if one.true is not None and not one.is_right)
    return Precision(label, right, len(reviews) - right, len(days), was.most_common())


def binomial_interval(found: int, count: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the exact interval of a share that was seen as `found` of `count`.

    It covers the share at least so often, however few there are: of 3 right out of 3 it begins at
    0.29.

    Source: Clopper and Pearson 1934.
    """
    tail = (1 - confidence) / 2
    low = 0.0 if found == 0 else _solve(lambda p: 1 - _cumulative(found - 1, count, p) < tail)
    high = 1.0 if found == count else _solve(lambda p: _cumulative(found, count, p) > tail)
    return low, high


def _solve(below: Callable[[float], bool]) -> float:
    """Bisect for the share up to which `below` holds."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) else (low, middle)
    return (low + high) / 2


def _cumulative(found: int, count: int, share: float) -> float:
    """Return the probability of `found` or fewer out of `count`."""
    numbers = np.arange(found + 1)
    factorials = np.concatenate([[0.0], np.log(np.arange(1, count + 1)).cumsum()])
    choices: NDArray[np.float64] = factorials[count] - factorials[numbers]
    choices -= factorials[count - numbers]
    logs = choices + numbers * math.log(share) + (count - numbers) * math.log1p(-share)
    return float(np.exp(logs).sum())
