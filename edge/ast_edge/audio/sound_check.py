"""Sound that no working microphone delivers: digital silence, constant clipping."""

import numpy as np
from numpy.typing import NDArray

from ast_edge.audio.health import OK, Health

MUTED_SECONDS = 30.0
"""Sound without any change after which a source is muted or broken. The noise of a working
microphone changes the last bit all the time."""
CLIPPING_SECONDS = 10
"""Seconds in a row that all clip; as many without end the condition."""
CLIPPING_SHARE = 0.01
"""Share of samples at full scale from which a second clips: a door that slams is over sooner."""

_FULL_SCALE = 0.999


class SoundCheck:
    """Judge the samples of a source, through all of its streams.

    Time is counted in sound. Memory: a few numbers.
    """

    def __init__(self, muted_seconds: float = MUTED_SECONDS, channel: int | None = None) -> None:
        """Take when sound without change is muted (0: never), and the only channel, from 1."""
        self._muted_seconds = muted_seconds
        self._channel = channel
        self._value: float | None = None
        self._unchanged = 0.0
        self._heard = self._clipped = self._samples = 0
        self._streak = 0
        """Seconds in a row that clip, or that do not if negative."""
        self._clips = False

    @property
    def unchanged_seconds(self) -> float:
        """Seconds of sound since a sample differed from the one before."""
        return self._unchanged

    def feed(self, samples: NDArray[np.float32], sample_rate: int) -> Health:
        """Take the next samples (n, channels) and say how they are now."""
        if self._channel is not None:
            samples = samples[:, self._channel - 1 : self._channel]
        if not samples.size:
            return OK
        self._watch_change(samples, sample_rate)
        self._watch_clipping(samples, sample_rate)
        if 0 < self._muted_seconds <= self._unchanged:
            what = "zeros" if self._value == 0 else "the same value"
            return Health(
                "muted", f"nothing but {what} for {self._muted_seconds:g} s: muted or broken?"
            )
        if self._clips:
            return Health("clipping", "it clips all the time: lower its capture volume")
        return OK

    def _watch_change(self, samples: NDArray[np.float32], sample_rate: int) -> None:
        low, high = float(samples.min()), float(samples.max())
        if low == high and self._value in (None, low):
            # Rounded, so that ten tenths are one.
            self._unchanged = round(self._unchanged + len(samples) / sample_rate, 6)
        else:
            self._unchanged = 0.0
        self._value = float(samples[-1, 0]) if low != high else low

    def _watch_clipping(self, samples: NDArray[np.float32], sample_rate: int) -> None:
        self._heard += len(samples)
        self._samples += samples.size
        self._clipped += int(np.count_nonzero(np.abs(samples) >= _FULL_SCALE))
        if self._heard < sample_rate:
            return
        clips = self._clipped >= CLIPPING_SHARE * self._samples
        self._streak = max(self._streak, 0) + 1 if clips else min(self._streak, 0) - 1
        if abs(self._streak) >= CLIPPING_SECONDS:
            self._clips = clips
        self._heard = self._clipped = self._samples = 0
