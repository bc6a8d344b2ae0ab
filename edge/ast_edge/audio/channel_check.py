"""Channels that do not belong in a mean: one that has all the sound, or two that cancel out."""

import numpy as np
from numpy.typing import NDArray

PERIOD = 10.0
"""Seconds of sound that are looked at together."""
PERIODS = 3
"""Periods in a row that must agree: a voice may be near one of several microphones for a while."""

_ALONE = 100.0
"""Times the power of every other channel (20 dB) that one which has all the sound has."""
_CANCELLED = 0.1
"""Share of the power of independent channels that is left where they cancel out."""
_AUDIBLE = 1e-8
"""Mean square below which a channel says nothing: -80 dBFS."""


class ChannelCheck:
    """Compare the channels of a source of which the mean is heard, through all of its streams."""

    def __init__(self, period: float = PERIOD, periods: int = PERIODS) -> None:
        """Take the seconds that are looked at together, and how many times must agree."""
        self._period, self._periods = period, periods
        self._powers: NDArray[np.float64] = np.zeros(0)
        """(channels,) sums of squares of the period."""
        self._mean = self._seconds = 0.0
        self._frames = self._agreeing = 0
        self._newest = self._said = ""

    def feed(self, samples: NDArray[np.float32], sample_rate: int) -> str:
        """Take the next samples (n, channels) and say what is wrong now, nothing if nothing is."""
        channels = samples.shape[1]
        if channels != len(self._powers):
            self._powers, self._agreeing, self._newest, self._said = np.zeros(channels), 0, "", ""
            self._start()
        if channels > 1 and np.isfinite(samples).all():
            self._powers += np.square(samples, dtype=np.float64).sum(axis=0)
            self._mean += float(np.square(samples.mean(axis=1), dtype=np.float64).sum())
            self._frames += len(samples)
            self._seconds += len(samples) / sample_rate
            if self._seconds >= self._period:
                self._judge()
        return self._said

    def _start(self) -> None:
        self._powers[:] = 0
        self._mean, self._seconds, self._frames = 0.0, 0.0, 0

    def _judge(self) -> None:
        """Take a period; one without sound says nothing."""
        powers, mean = self._powers / self._frames, self._mean / self._frames
        self._start()
        loudest = int(powers.argmax())
        others = np.delete(powers, loudest).max()
        if powers[loudest] < _AUDIBLE:
            return
        found = ""
        if powers[loudest] > _ALONE * others:
            found = (
                f"only channel {loudest + 1} of {len(powers)} has sound, which their mean makes "
                f"quieter: choose it by `channel: {loudest + 1}`"
            )
        elif mean < _CANCELLED * powers.mean() / len(powers):
            found = "its channels cancel each other out: choose one by `channel: 1`"
        self._agreeing = self._agreeing + 1 if found == self._newest else 1
        self._newest = found
        if self._agreeing >= self._periods:
            self._said = found
