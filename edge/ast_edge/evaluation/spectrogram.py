"""A picture of what a recording sounds like."""

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from ast_edge.frontend.fbank import FbankSpec
from ast_edge.frontend.listener import Window

COLUMN_SECONDS = 0.05
ROWS = 64
MAX_COLUMNS = 1600


class SpectrogramMaker:
    """Take the newest frames of every window, and keep the loudest of every 50 ms."""

    def __init__(self, fbank: FbankSpec) -> None:
        """Take the front end of the windows."""
        self._frames_per_second = fbank.sample_rate / fbank.frame_shift
        self._pool = max(1, round(COLUMN_SECONDS * self._frames_per_second))
        self._rows = min(ROWS, fbank.mel_bins)
        self._waiting = np.zeros((0, self._rows), np.float16)
        self._columns: list[NDArray[np.float16]] = []

    def feed(self, window: Window) -> None:
        """Take a window; the silence that slides in after the end is left out."""
        if window.end > window.heard:
            return
        frames = window.fbank[-round(window.hop * self._frames_per_second) :]
        group = frames.shape[1] // self._rows
        pooled = frames[:, : group * self._rows].reshape(len(frames), self._rows, group)
        self._waiting = np.concatenate([self._waiting, pooled.max(axis=2).astype(np.float16)])
        whole = len(self._waiting) // self._pool * self._pool
        columns = self._waiting[:whole].reshape(-1, self._pool, self._rows).max(axis=1)
        self._columns.append(columns)
        self._waiting = self._waiting[whole:]

    def finish(self) -> NDArray[np.float16]:
        """Return log energies (columns, rows), low frequencies first."""
        return np.concatenate(self._columns) if self._columns else self._waiting[:0]


def draw_png(spectrogram: NDArray[np.float16]) -> bytes:
    """Draw log energies (columns, rows) as a picture, dark where it is loud, clear where it is not.

    Ink is black with an opacity: the page behind it, light or dark, chooses the colours.
    """
    group = -(-len(spectrogram) // MAX_COLUMNS)
    padded = np.pad(spectrogram, ((0, -len(spectrogram) % group), (0, 0)), mode="edge")
    picture = padded.reshape(-1, group, padded.shape[1]).max(axis=1).astype(np.float32).T[::-1]
    low, high = np.percentile(picture, [20, 99.8])
    opacity = ((picture - low) / max(high - low, 1e-3)).clip(0, 1)
    grey_and_opacity = np.zeros((*picture.shape, 2), np.uint8)
    # 24 levels are enough for the eye and take half the space of 256.
    grey_and_opacity[..., 1] = np.round(opacity * 23) * (255 / 23)
    return _png(grey_and_opacity)


def _png(pixels: NDArray[np.uint8]) -> bytes:
    """Encode grey and opacity (rows, columns, 2). Source: W3C PNG specification."""
    rows, columns, _ = pixels.shape
    header = struct.pack(">IIBBBBB", columns, rows, 8, 4, 0, 0, 0)
    unfiltered = np.zeros((rows, 1 + 2 * columns), np.uint8)
    unfiltered[:, 1:] = pixels.reshape(rows, -1)
    data = zlib.compress(unfiltered.tobytes(), 9)
    chunks = ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
