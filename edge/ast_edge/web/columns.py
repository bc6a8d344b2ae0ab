"""The waterfall: what the model sees of a sound, as small as a page needs it."""

import struct

import numpy as np
from numpy.typing import NDArray

from ast_edge.audio.stream import Stream
from ast_edge.frontend.fbank import FbankSpec
from ast_edge.frontend.listener import Window

COLUMN_SECONDS = 0.04
BANDS = 64
LOWEST, HIGHEST = -16.0, 6.0
"""Log energies of the numbers 0 and 255."""
KIND = 1
_HEAD = struct.Struct("<BBHfd")
"""Kind, bands, columns, seconds of a column, unix time of the first one's beginning."""


class Columns:
    """Make columns (uint8) of the windows of one source; what is no new sound is left out."""

    def __init__(self, spec: FbankSpec) -> None:
        """Take the front end that the windows are from."""
        self._shift = spec.frame_shift / spec.sample_rate
        self._overlap = (spec.frame_length - spec.frame_shift) / spec.sample_rate
        self._frames = max(1, round(COLUMN_SECONDS / self._shift))
        self.bands = min(BANDS, spec.mel_bins)
        self._starts = np.linspace(0, spec.mel_bins, self.bands, endpoint=False).astype(np.intp)
        self._widths = np.diff(np.append(self._starts, spec.mel_bins)).astype(np.float32)
        self._bins = spec.mel_bins
        self.seconds = self._frames * self._shift
        self.hertz = _centres(spec, self._starts, self._widths)
        """Of the middle of each band."""
        self._stream: Stream | None = None
        self._left: NDArray[np.float32] = np.empty((0, spec.mel_bins), np.float32)

    def feed(self, window: Window) -> bytes | None:
        """Return the columns that a window completes, as a message; None if there are none."""
        if window.stream is not self._stream:
            self._stream, self._left = window.stream, self._left[:0]
        silent = round((window.end - window.heard) / self._shift)
        new = min(round(window.hop / self._shift), len(window.fbank))
        fresh = window.fbank[len(window.fbank) - new : max(0, len(window.fbank) - silent)]
        if not len(fresh) or fresh.shape[1] != self._bins:
            return None
        start = window.end - self._overlap - (new + len(self._left)) * self._shift
        frames = np.concatenate([self._left, fresh])
        count = len(frames) // self._frames
        self._left = frames[count * self._frames :]
        if not count:
            return None
        blocks = frames[: count * self._frames].reshape(count, self._frames, -1).max(axis=1)
        means = np.add.reduceat(blocks, self._starts, axis=1) / self._widths
        scaled = (means - LOWEST) * (255 / (HIGHEST - LOWEST))
        head = _HEAD.pack(KIND, self.bands, count, self.seconds, window.when.time_at(start))
        return head + np.clip(scaled, 0, 255).astype(np.uint8).tobytes()


def _centres(spec: FbankSpec, starts: NDArray[np.intp], widths: NDArray[np.float32]) -> list[int]:
    low, top = (1127 * np.log1p(hertz / 700) for hertz in (spec.low_hz, spec.top_hz))
    step = (top - low) / (spec.mel_bins + 1)
    mels = low + step * (starts + (widths + 1) / 2)
    return [round(float(hertz)) for hertz in 700 * np.expm1(mels / 1127)]
