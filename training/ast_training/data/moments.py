"""Mean and standard deviation of a training set, which a model's input is normalised with."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Moments:
    """Sums over the values of any number of fbanks, in float64."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0

    @classmethod
    def of(cls, fbank: NDArray[np.float32]) -> "Moments":
        """Sum the values of one fbank (frames, mel_bins)."""
        values = fbank.astype(np.float64).ravel()
        return cls(values.size, float(values.sum()), float(values @ values))

    def __add__(self, other: "Moments") -> "Moments":
        return Moments(
            self.count + other.count, self.total + other.total, self.squares + other.squares
        )

    @property
    def mean(self) -> float:
        """Mean of all values; NaN of none."""
        return self.total / self.count if self.count else math.nan

    @property
    def std(self) -> float:
        """Their standard deviation (of the population); NaN of none."""
        if not self.count:
            return math.nan
        return math.sqrt(max(0.0, self.squares / self.count - self.mean**2))


def statistics(fbanks: Iterable[NDArray[np.float32]]) -> tuple[float, float]:
    """Compute mean and standard deviation over every value of all fbanks (frames, mel_bins).

    Each frame that is given counts once.
    """
    moments = sum((Moments.of(fbank) for fbank in fbanks), Moments())
    return moments.mean, moments.std
