"""What a source's sound goes through before it is looked at: a high-pass filter and a gain."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_PIECE = 128
"""Samples that are filtered by one matrix product."""


@dataclass(frozen=True)
class Conditioning:
    """How the sound of one source is prepared."""

    gain_db: float = 0.0
    """Decibels to add."""
    high_pass: float | None = None
    """Hertz below which sound is taken away, 12 dB per octave."""
    channel: int | None = None
    """The only channel to listen to, from 1; the mean of all unless given."""


class Conditioner:
    """Filter and amplify mono sound, block by block.

    Any cutting of the sound gives the same output, of as many samples and without delay. Nothing is
    limited: what exceeds full scale is no problem for what follows.
    """

    def __init__(self, conditioning: Conditioning, sample_rate: int) -> None:
        """Prepare for sound of a sample rate in hertz.

        Raises:
            ValueError: if the high-pass frequency is not below half of the sample rate.
        """
        self._gain = np.float32(10 ** (conditioning.gain_db / 20))
        cutoff = conditioning.high_pass
        self._filter = None if cutoff is None else HighPass(cutoff, sample_rate)

    def feed(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take samples (n,) and return as many."""
        if self._filter is not None:
            samples = self._filter.feed(samples).astype(np.float32)
        return samples if self._gain == 1 else samples * self._gain

    def reset(self) -> None:
        """Forget the past: what follows is another stream."""
        if self._filter is not None:
            self._filter.reset()


class HighPass:
    """A Butterworth high-pass of second order, as `scipy.signal.butter(2, hz, "high")` designs it.

    A recursion over samples is slow in Python. Over pieces it is two matrix products: what a piece
    gives from rest, and what the state before it adds (its two numbers decay through the piece).
    """

    def __init__(self, cutoff: float, sample_rate: int) -> None:
        """Design the filter; both in hertz.

        Raises:
            ValueError: if the cutoff is not between 0 and half of the sample rate.
        """
        if not 0 < cutoff < sample_rate / 2:
            raise ValueError(f"expected a high-pass between 0 and {sample_rate / 2:g} Hz: {cutoff}")
        # The bilinear transform of s^2 / (s^2 + sqrt(2) s + 1).
        k = math.tan(math.pi * cutoff / sample_rate)
        norm = 1 / (1 + math.sqrt(2) * k + k * k)
        a1, a2 = 2 * (k * k - 1) * norm, (1 - math.sqrt(2) * k + k * k) * norm
        # State space: state' = step @ state + inlet * x, y = state[0] + norm * x.
        step = np.array([[-a1, 1.0], [-a2, 0.0]])
        inlet = np.array([(-2 - a1) * norm, (1 - a2) * norm])
        powers = [np.eye(2)]
        for _ in range(_PIECE):
            powers.append(step @ powers[-1])
        self._powers = np.stack(powers)
        """(_PIECE + 1, 2, 2): what so many samples make of the state."""
        self._inlets = self._powers[:-1] @ inlet
        """(_PIECE, 2): what a sample adds to the state, by its age."""
        response = np.concatenate([[norm], self._inlets[:-1, 0]])
        ages = np.arange(_PIECE)[:, None] - np.arange(_PIECE)
        self._from_rest = np.where(ages >= 0, response[ages], 0.0)
        self._state = np.zeros(2)

    def feed(self, samples: NDArray[np.float32]) -> NDArray[np.float64]:
        """Take samples (n,) and return as many."""
        filtered = np.empty(len(samples))
        for start in range(0, len(samples), _PIECE):
            piece = samples[start : start + _PIECE].astype(np.float64)
            count = len(piece)
            from_state = self._powers[:count, 0] @ self._state
            filtered[start : start + count] = self._from_rest[:count, :count] @ piece + from_state
            added = piece[::-1] @ self._inlets[:count]
            self._state = self._powers[count] @ self._state + added
        return filtered

    def reset(self) -> None:
        """Return to rest."""
        self._state = np.zeros(2)
