"""Kaldi log-mel filterbank features as AST expects them, in batch and rolling.

The reference is `torchaudio.compliance.kaldi.fbank` with the settings of the AST code base: 25 ms
Hann windows every 10 ms, 128 mel bins from 20 Hz to Nyquist, waveform at full scale 1.0. Agreement
is to float32 rounding (tests/edge/frontend/test_fbank.py).
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ast_edge.audio.stream import MODEL_RATE

LOG_FLOOR = float(np.log(np.finfo(np.float32).eps))
"""Log-energy of digital silence, -15.9424: Kaldi floors energies at float32's epsilon."""


@dataclass(frozen=True)
class FbankSpec:
    """Every number of the front end; a model works only with the spec it was trained with."""

    sample_rate: int = MODEL_RATE
    """Hertz."""
    frame_length_ms: float = 25.0
    frame_shift_ms: float = 10.0
    mel_bins: int = 128
    window: Literal["hanning", "hamming"] = "hanning"
    """Hann in the code and checkpoints of AST (Kaldi's "hanning"), Hamming in its paper."""
    preemphasis: float = 0.97
    low_hz: float = 20.0
    high_hz: float = 0.0
    """Upper edge of the highest filter; 0 or below counts from the Nyquist frequency."""

    def __post_init__(self) -> None:
        if self.window not in ("hanning", "hamming"):
            raise ValueError(f"window must be 'hanning' or 'hamming', got {self.window!r}")
        if not 1 <= self.sample_rate <= 384_000:
            raise ValueError(f"sample_rate must be 1 to 384000 Hz: {self}")
        if not 0 < self.frame_shift_ms <= self.frame_length_ms <= 1000:
            raise ValueError(f"frames must overlap and last at most a second: {self}")
        if self.frame_shift < 1 or not 1 <= self.mel_bins <= self.fft_length // 2:
            raise ValueError(f"frames are too short to shift, or for the mel bins: {self}")
        if not 0 <= self.preemphasis <= 1:
            raise ValueError(f"preemphasis must be 0 to 1: {self}")
        if not 0 <= self.low_hz < self.top_hz <= self.sample_rate / 2:
            raise ValueError(f"low_hz must lie below high_hz, and that up to Nyquist: {self}")

    @property
    def frame_length(self) -> int:
        """Samples in a frame."""
        return int(self.sample_rate * self.frame_length_ms * 0.001)  # as Kaldi: cut, not rounded

    @property
    def frame_shift(self) -> int:
        """Samples from one frame to the next."""
        return int(self.sample_rate * self.frame_shift_ms * 0.001)

    @property
    def fft_length(self) -> int:
        """Frame length rounded up to a power of two."""
        return 1 << (self.frame_length - 1).bit_length()

    @property
    def top_hz(self) -> float:
        """Upper edge of the highest filter in hertz."""
        return self.high_hz if self.high_hz > 0 else self.sample_rate / 2 + self.high_hz

    def frames_in(self, samples: int) -> int:
        """Count the whole frames in so many samples."""
        return max(0, 1 + (samples - self.frame_length) // self.frame_shift)

    def samples_in(self, frames: int) -> int:
        """Count the samples that so many consecutive frames cover."""
        return (frames - 1) * self.frame_shift + self.frame_length if frames else 0


def fbank(waveform: NDArray[np.float32], spec: FbankSpec) -> NDArray[np.float32]:
    """Compute the log-mel filterbank of a mono waveform.

    Args:
        waveform: (samples,), full scale at 1.0, at the spec's rate.
        spec: the front end.

    Returns:
        (frames, mel_bins) natural-log energies; no frame for less than one frame of samples.
    """
    if len(waveform) < spec.frame_length:
        return np.empty((0, spec.mel_bins), np.float32)
    # In as few calls as NumPy allows: once in a hop all code is cold, and calls cost most.
    overlapping: NDArray[np.float32] = np.ndarray(
        (spec.frames_in(len(waveform)), spec.frame_length),
        np.float32,
        np.ascontiguousarray(waveform, np.float32),
        strides=(4 * spec.frame_shift, 4),
    )
    means = np.add.reduce(overlapping, axis=1, keepdims=True)
    means /= spec.frame_length
    frames = overlapping - means  # (frames, samples)
    # Pre-emphasis within the frame; the first sample is its own predecessor.
    emphasised = np.empty_like(frames)
    np.multiply(frames[:, :-1], -spec.preemphasis, out=emphasised[:, 1:])
    emphasised[:, 1:] += frames[:, 1:]
    emphasised[:, 0] = frames[:, 0] - np.float32(spec.preemphasis) * frames[:, 0]
    emphasised *= _window(spec)
    spectrum = np.fft.rfft(emphasised, spec.fft_length)[:, :-1]  # Kaldi leaves out Nyquist
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    energies: NDArray[np.float32] = power.astype(np.float32, copy=False) @ mel_filters(spec)
    np.maximum(energies, np.finfo(np.float32).eps, out=energies)
    return np.log(energies)


class RollingFbank:
    """Compute each frame once, as soon as its last sample is there.

    Keeps less than one frame of samples. Concatenated, the results of any sequence of `feed` calls
    are those of `fbank` on all samples at once, to 1e-5.
    """

    def __init__(self, spec: FbankSpec) -> None:
        """Start before the first sample."""
        self.spec = spec
        self._pending = np.empty(0, np.float32)

    def feed(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take the next samples (n,) and return the frames they complete (frames, mel_bins)."""
        samples = np.concatenate([self._pending, samples])
        frames = self.spec.frames_in(len(samples))
        self._pending = samples[frames * self.spec.frame_shift :].copy()
        return fbank(samples[: self.spec.samples_in(frames)], self.spec)

    def reset(self) -> None:
        """Forget the pending samples: what follows is not their continuation."""
        self._pending = np.empty(0, np.float32)


@lru_cache(maxsize=8)
def mel_filters(spec: FbankSpec) -> NDArray[np.float32]:
    """Build Kaldi's triangular mel filters as a matrix (fft_length / 2, mel_bins).

    With AST's 128 bins of a 512-point FFT, filter 3 lies between two FFT bins and is empty; its
    output is always `LOG_FLOOR`, which the published checkpoints were trained with.
    """
    # In float32 and without log1p, as the reference: its rounding shows in the narrow low filters.
    bins = np.arange(spec.fft_length // 2, dtype=np.float32)
    mels = _mel(bins * np.float32(spec.sample_rate / spec.fft_length))[:, None]
    low, top = (1127.0 * math.log(1.0 + hertz / 700.0) for hertz in (spec.low_hz, spec.top_hz))
    step = np.float32((top - low) / (spec.mel_bins + 1))
    edges = np.float32(low) + np.arange(spec.mel_bins + 2, dtype=np.float32) * step
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (mels - left) / (centre - left), (right - mels) / (right - centre)
    filters = np.maximum(np.float32(0), np.minimum(rising, falling))
    filters.flags.writeable = False
    return filters


def _mel(hertz: NDArray[np.float32]) -> NDArray[np.float32]:
    mels: NDArray[np.float32] = np.float32(1127) * np.log(np.float32(1) + hertz / np.float32(700))
    return mels


@lru_cache(maxsize=8)
def _window(spec: FbankSpec) -> NDArray[np.float32]:
    """Build the symmetric window (frame_length,)."""
    make = {"hanning": np.hanning, "hamming": np.hamming}[spec.window]
    window = make(spec.frame_length).astype(np.float32)
    window.flags.writeable = False
    return window
