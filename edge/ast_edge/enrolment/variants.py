"""Variants of a take: louder and softer, in other rooms, over noise, anywhere in the window."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ast_edge.enrolment.take import BELOW_PEAK_DB, Take, loudness
from ast_edge.frontend.fbank import FbankSpec, fbank

Samples = NDArray[np.float32]

GAIN_DB = (-12.0, 6.0)
SNR_DB = (3.0, 30.0)
"""Of the sound's level to that of the noise below it."""
ROOM_SHARE = 0.5
"""Of variants that are heard in another room."""
REVERBERATION = (0.1, 0.5)
"""Seconds until the echo of a room is 60 dB down."""
DIRECT_DB = (-3.0, 12.0)
"""Level of the direct sound to that of the echo."""
VISIBLE = 0.6
"""Share of the sound that is in the window at least."""
NEAR = 0.3
"""Seconds around the sound that are neither it nor anything else."""
COLOURS = (0.0, 0.5, 1.0)
"""Powers of the frequency by which the amplitude of a noise falls: white, pink, brown."""


@dataclass(frozen=True, eq=False)
class Variant:
    """A window that holds the sound somewhere."""

    fbank: NDArray[np.float32]
    """(frames, mels)."""
    loud: NDArray[np.bool_]
    """(frames,) where the sound is heard."""
    near: NDArray[np.bool_]
    """(frames,) where it is, or might be, heard."""


class VariantMaker:
    """Makes variants of takes for one front end and window; the same seed makes the same ones."""

    def __init__(
        self, spec: FbankSpec, frames: int, noises: Sequence[Samples] = (), seed: int = 0
    ) -> None:
        """Take the front end, its window, and recordings of noise (samples,), if there are any."""
        self._spec, self._frames = spec, frames
        self._length = spec.samples_in(frames)
        self._noises = [noise for noise in noises if len(noise)]
        self._random = np.random.default_rng(seed)

    def make(self, take: Take) -> Variant:
        """Make a variant of a take."""
        random, rate = self._random, self._spec.sample_rate
        sound = take.sound[: 2 * self._length]
        if random.random() < ROOM_SHARE:
            sound = self._in_a_room(sound)
        sound = sound * np.float32(10 ** (random.uniform(*GAIN_DB) / 20))
        start = self._place(len(sound))
        mixture = self._noise(_power(sound) * 10 ** (-random.uniform(*SNR_DB) / 10))
        seen = slice(max(0, start), min(self._length, start + len(sound)))
        mixture[seen] += sound[seen.start - start : seen.stop - start]
        loud = self._loud(sound, start)
        reach = round(NEAR * rate / self._spec.frame_shift)
        first, last = (edge // self._spec.frame_shift for edge in (seen.start, seen.stop))
        near = np.zeros(self._frames, np.bool_)
        near[max(0, first - reach) : last + reach] = True
        return Variant(fbank(mixture, self._spec), loud, near)

    def noise(self) -> NDArray[np.float32]:
        """Make a window (frames, mels) of the noise alone, as loud as any variant's."""
        level = 10 ** (self._random.uniform(-70, -30) / 10)
        return fbank(self._noise(level), self._spec)

    def _place(self, length: int) -> int:
        """Choose where the sound begins in the window; a part of it may lie outside."""
        outside = round((1 - VISIBLE) * length)
        lowest, highest = -outside, self._length - length + outside
        return int(self._random.integers(min(lowest, highest), max(lowest, highest) + 1))

    def _loud(self, sound: Samples, start: int) -> NDArray[np.bool_]:
        """Tell in which frames of the window the sound is near its loudest."""
        level = loudness(sound, self._spec)
        loud = np.zeros(self._frames, np.bool_)
        places = round(start / self._spec.frame_shift) + np.flatnonzero(
            level >= level.max() - BELOW_PEAK_DB
        )
        loud[places[(places >= 0) & (places < self._frames)]] = True
        return loud

    def _noise(self, power: float) -> Samples:
        """Return a window of noise (samples,) with this mean power."""
        random = self._random
        if self._noises and random.random() < 0.8:
            noise = self._noises[random.integers(len(self._noises))]
            noise = np.resize(np.roll(noise, -int(random.integers(len(noise)))), self._length)
        else:
            spectrum = np.fft.rfft(random.standard_normal(self._length).astype(np.float32))
            bins = np.maximum(np.arange(len(spectrum)), 1)
            coloured = np.fft.irfft(spectrum / bins ** random.choice(COLOURS), self._length)
            noise = coloured.astype(np.float32)
        scale = np.sqrt(power / max(_power(noise), 1e-12))
        scaled: Samples = (noise * scale).astype(np.float32)
        return scaled

    def _in_a_room(self, sound: Samples) -> Samples:
        """Add the echo of a room: noise that dies away, a little later than the sound."""
        random, rate = self._random, self._spec.sample_rate
        seconds = random.uniform(*REVERBERATION)
        times = np.arange(round(seconds * rate)) / rate
        echo = random.standard_normal(len(times)) * 10 ** (-3 * times / seconds)
        echo[: round(0.005 * rate)] = 0
        echo *= np.sqrt(10 ** (-random.uniform(*DIRECT_DB) / 10) / max(np.sum(echo**2), 1e-12))
        echo[0] = 1
        size = 1 << (len(sound) + len(echo) - 1).bit_length()
        heard = np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(echo, size), size)
        return heard[: len(sound) + len(echo) - 1].astype(np.float32)


def _power(samples: NDArray[np.floating]) -> float:
    return float(np.mean(np.square(samples, dtype=np.float64))) if len(samples) else 0.0
