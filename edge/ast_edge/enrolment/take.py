"""One recording of a sound that is to be learnt, and the part of it that is the sound."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ast_edge.audio.level import measure
from ast_edge.enrolment.errors import EnrolmentError
from ast_edge.frontend.fbank import FbankSpec, fbank
from ast_edge.frontend.resampler import Resampler
from ast_edge.sources.recording import RecordingSource

QUIETEST_DBFS = -70.0
"""Peak of a take: what is quieter holds nothing but the noise of its recorder."""
SHORTEST, LONGEST = 0.03, 120.0
"""Seconds of a take."""
BELOW_PEAK_DB = 25.0
"""What of a take is quieter than its loudest moment by more than this is not the sound."""
ABOVE_FLOOR_DB = 6.0
"""Nor is what does not stand out of the rest by this, if anything does."""
BRIDGED = 0.6
"""Seconds of a pause within a sound: the second note of a chime may come that late."""
PAD = 0.05
"""Seconds that are kept on either side."""
_SMOOTHED = 5
"""Frames, 50 ms."""


@dataclass(frozen=True, eq=False)
class Take:
    """A recording of the sound, at the rate that the model hears."""

    name: str
    rate: int
    """Samples a second."""
    samples: NDArray[np.float32]
    """(samples,) all of it."""
    start: int
    """Where the sound begins, in samples."""
    end: int

    @property
    def sound(self) -> NDArray[np.float32]:
        """The part of it that is the sound (samples,)."""
        return self.samples[self.start : self.end]

    @property
    def seconds(self) -> float:
        """Length of the sound."""
        return (self.end - self.start) / self.rate


def read_take(path: Path, spec: FbankSpec) -> Take:
    """Read a recording and find the sound in it.

    Raises:
        AudioError: if it cannot be read.
        EnrolmentError: if it holds no sound, or is too short or too long to be one take.
    """
    return make_take(str(path), read_mono(path, spec.sample_rate), spec)


def read_mono(path: Path, rate: int, most: float | None = None) -> NDArray[np.float32]:
    """Read a recording (samples,) at a rate, all channels averaged; its first seconds, if given.

    Raises:
        AudioError: if it cannot be read.
        EnrolmentError: if it is longer than any take, and all of it is asked for.
    """
    source = RecordingSource("take", path, pace="fast")
    parts: list[NDArray[np.float32]] = []
    resampler: Resampler | None = None
    for block in source.blocks():
        stream = block.stream
        resampler = resampler or Resampler(stream.sample_rate, stream.channels, rate)
        parts.append(resampler.feed(block.samples))
        if most is not None and source.seconds >= most:
            break
        if most is None and source.seconds > LONGEST:
            raise EnrolmentError(
                f"{path}: expected a recording of the sound of at most {LONGEST:g} s; cut out the "
                "part that holds it"
            )
    if resampler:
        parts.append(resampler.flush())
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def make_take(name: str, samples: NDArray[np.float32], spec: FbankSpec) -> Take:
    """Find the sound in a recording (samples,) at the front end's rate.

    Raises:
        EnrolmentError: if it holds none, or is too short to be one.
    """
    rate = spec.sample_rate
    if len(samples) < SHORTEST * rate:
        raise EnrolmentError(
            f"{name}: expected a recording of the sound of {SHORTEST:g} s or more, got "
            f"{len(samples) / rate:.2g} s"
        )
    peak = measure(samples).peak
    if peak < QUIETEST_DBFS:
        raise EnrolmentError(
            f"{name}: is silent (its peak is {peak:.0f} dBFS or less): record it again, nearer or "
            "louder, and look at the microphone's level with `ast-edge devices --meter`"
        )
    start, end = _active(samples, spec)
    return Take(name, rate, samples, start, end)


def loudness(samples: NDArray[np.float32], spec: FbankSpec) -> NDArray[np.float32]:
    """Return how loud each frame is (frames,), in dB, smoothed over 50 ms."""
    padded = np.pad(samples, (0, max(0, spec.frame_length - len(samples))))
    # Of the mel bands above 100 Hz, so that hum and wind hide nothing.
    energies = np.exp(fbank(padded, spec)[:, 3:]).sum(axis=1)
    kernel = np.full(_SMOOTHED, 1 / _SMOOTHED)
    smooth = np.convolve(np.pad(energies, _SMOOTHED // 2, mode="edge"), kernel, "valid")
    decibels: NDArray[np.float32] = (10 * np.log10(smooth)).astype(np.float32)
    return decibels


def _active(samples: NDArray[np.float32], spec: FbankSpec) -> tuple[int, int]:
    """Return where the sound is: around the loudest moment, until there is a longer pause."""
    level = loudness(samples, spec)
    peak, floor = float(level.max()), float(np.percentile(level, 10))
    least = max(peak - BELOW_PEAK_DB, min(floor + ABOVE_FLOOR_DB, peak - ABOVE_FLOOR_DB))
    if peak - floor < 2 * ABOVE_FLOOR_DB:
        return 0, len(samples)  # steady: all of it is the sound
    loud = np.flatnonzero(level >= least)
    gaps = np.flatnonzero(np.diff(loud) > BRIDGED * 1000 / spec.frame_shift_ms)
    runs = np.split(loud, gaps + 1)
    best = max(runs, key=lambda run: float(np.sum(10 ** (level[run] / 10))))
    pad = round(PAD * spec.sample_rate)
    start = int(best[0]) * spec.frame_shift - pad
    end = int(best[-1]) * spec.frame_shift + spec.frame_length + pad
    return max(0, start), min(len(samples), end)
