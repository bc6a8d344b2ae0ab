"""How often something happens, judged by how often it did."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray


def poisson_interval(count: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the exact interval of the mean of a Poisson variable that was seen as `count`.

    The same as by quantiles of chi-square, but found by bisection of the distribution itself.

    Source: Garwood 1936.
    """
    tail = (1 - confidence) / 2
    return _lower(count, tail), poisson_limit(count, 1 - tail)


def poisson_limit(count: int, confidence: float = 0.95) -> float:
    """Return what the mean is below, one-sided: 3.0 if nothing happened ("rule of three")."""
    return _solve(lambda mean: _cumulative(count, mean) > 1 - confidence, count)


def _lower(count: int, tail: float) -> float:
    if count == 0:
        return 0.0
    return _solve(lambda mean: 1 - _cumulative(count - 1, mean) < tail, count)


def _solve(below: Callable[[float], bool], count: int) -> float:
    """Bisect for the mean up to which `below` holds."""
    low, high = 0.0, count + 20 * math.sqrt(count + 1)
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) else (low, middle)
    return (low + high) / 2


def _cumulative(count: int, mean: float) -> float:
    """Return the probability of `count` or fewer."""
    numbers = np.arange(count + 1)
    logs = numbers * math.log(mean) - mean - _log_factorials(count)
    return float(np.exp(logs).sum())


def _log_factorials(count: int) -> NDArray[np.float64]:
    return np.concatenate([[0.0], np.log(np.arange(1, count + 1)).cumsum()])
