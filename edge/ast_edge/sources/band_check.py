"""Sound that ends below what the model hears, as that of a telephone does."""

import numpy as np
from numpy.typing import NDArray

from ast_edge.audio.stream import MODEL_RATE

PERIOD = 20.0
"""Seconds of sound from which the band is measured."""
PERIODS = 3
"""Periods in a row that must agree: what sounds may itself be low."""
ENOUGH = 0.8
"""Share of the model's band that is as good as all of it."""

_MODEL_KHZ = MODEL_RATE / 2000
_FRAME_SECONDS = 0.032
_BANDS_PER_KHZ = 8
_CLIFF = 25.0
"""Decibels by which the sound falls within half a kilohertz, for good, where it was cut off."""
_AUDIBLE = 1e-8
"""Mean square below which a frame says nothing: -80 dBFS."""
_LOWEST = 2.0
"""Kilohertz."""


def lack_of_rate(sample_rate: int) -> str:
    """Say what sound of so many samples a second lacks, nothing if nothing."""
    return _lack(sample_rate / 2000)


class BandCheck:
    """Notice where a source's sound ends, through all of its streams.

    What is known of the source's own rate counts at once; else the spectrum is looked at for where
    it falls off and does not rise again, as no room does. Memory: one spectrum.
    """

    def __init__(self, period: float = PERIOD, periods: int = PERIODS) -> None:
        """Take the seconds that are measured at a time, and how many times must agree."""
        self._period, self._periods = period, periods
        self._known: float | None = None
        self._sum: NDArray[np.float64] | None = None
        self._sample_rate = 0
        self._seconds = 0.0
        self._agreeing = 0
        self._newest = self._measured = _MODEL_KHZ
        """Kilohertz."""

    def know(self, sample_rate: int | None) -> None:
        """Take the rate that the sound had before anybody converted it; None if nobody says."""
        self._known = None if sample_rate is None else sample_rate / 2000

    def feed(self, samples: NDArray[np.float32], sample_rate: int) -> str:
        """Take the next mono samples (n,); say what is missing now, nothing if nothing is."""
        if sample_rate != self._sample_rate:
            self._sample_rate, self._sum, self._seconds = sample_rate, None, 0.0
        self._add(samples)
        if self._seconds >= self._period and self._sum is not None:
            self._judge(self._sum)
            self._sum, self._seconds = None, 0.0
        return _lack(min(self._measured, self._known or _MODEL_KHZ))

    def _add(self, samples: NDArray[np.float32]) -> None:
        """Look at one frame of each block."""
        frame = samples[: round(_FRAME_SECONDS * self._sample_rate)]
        if len(frame) < 64 or not np.isfinite(frame).all():
            return
        frame = frame - frame.mean()
        if float(np.mean(np.square(frame, dtype=np.float64))) < _AUDIBLE:
            return
        power = np.abs(np.fft.rfft(frame * np.hanning(len(frame)))) ** 2
        if self._sum is None or len(self._sum) != len(power):
            self._sum, self._seconds = np.zeros(len(power)), 0.0
        self._sum += power
        self._seconds += len(samples) / self._sample_rate

    def _judge(self, power: NDArray[np.float64]) -> None:
        """Take a period's spectrum."""
        found = _end_of(power, self._sample_rate)
        self._agreeing = self._agreeing + 1 if abs(found - self._newest) < 0.3 else 1
        self._newest = found
        # Not for each wavering of what is measured: what is said of it is said again.
        if self._agreeing >= self._periods and abs(found - self._measured) >= 0.5:
            self._measured = found


def _lack(khz: float) -> str:
    if khz >= ENOUGH * _MODEL_KHZ:
        return ""
    return (
        f"its sound ends at {khz:.2g} kHz where the model hears up to {_MODEL_KHZ:g}: "
        "sounds that are told by what lies above are missed or mistaken"
    )


def _end_of(power: NDArray[np.float64], sample_rate: int) -> float:
    """Return the kilohertz where a spectrum (bins,) falls off for good; the model's if it doesn't.

    The sound just below must be there: what is quieter than a 16-bit step has no end.
    """
    top = min(sample_rate / 2000 * 0.95, _MODEL_KHZ)
    bins = np.arange(len(power)) * (sample_rate / 2000 / (len(power) - 1))
    edges = np.arange(round(top * _BANDS_PER_KHZ) + 1) / _BANDS_PER_KHZ
    which = np.digitize(bins, edges) - 1
    levels = np.array(
        [10 * np.log10(power[which == k].mean() + 1e-20) for k in range(len(edges) - 1)]
    )
    for k in range(round(_LOWEST * _BANDS_PER_KHZ), len(levels) - 6):
        below, above = levels[k - 6 : k], levels[k + 4 :]
        if np.percentile(below, 25) - above.max() >= _CLIFF:
            fallen = levels[k:] < np.percentile(below, 25) - _CLIFF / 2
            return float(edges[k + int(fallen.argmax())])
    return _MODEL_KHZ
