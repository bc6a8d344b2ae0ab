"""Sound to measure with, made of the recordings that come with the repository."""

import csv
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

DEMO = Path(__file__).parents[2] / "configs" / "demo"
RATE = 16_000
Sound = NDArray[np.float32]


def read(path: Path) -> Sound:
    """Read a recording as (samples,) at RATE."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    sound: Sound = soxr.resample(samples.mean(axis=1), rate, RATE)
    return sound


def events(path: Path = DEMO / "home.tsv") -> list[tuple[float, float, str]]:
    """Read the onset, offset (seconds) and label of every event of a recording."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return [(float(row["onset"]), float(row["offset"]), row["label"]) for row in rows]


def busy(seconds: float) -> Sound:
    """Return the recording of the demo, ten events a minute, again and again."""
    return np.resize(read(DEMO / "home.ogg"), round(seconds * RATE))


def quiet(seconds: float, room: Path | None = None, gap: float = 120.0) -> Sound:
    """Return room tone with an event of the demo every `gap` seconds.

    The room is a recording, looped, or pink noise at -60 dBFS that rises and falls by 3 dB.
    """
    count = round(seconds * RATE)
    sound = _noise(count) if room is None else np.resize(read(room), count)
    demo, found = read(DEMO / "home.ogg"), events()
    for number, start in enumerate(np.arange(gap / 2, seconds - 10, gap)):
        onset, offset, _ = found[number % len(found)]
        piece = demo[round(onset * RATE) : round(offset * RATE)]
        first = round(start * RATE)
        sound[first : first + len(piece)] += piece
    return sound.astype(np.float32)


def _noise(count: int) -> Sound:
    rng = np.random.default_rng(1)
    spectrum = np.fft.rfft(rng.standard_normal(RATE * 60))
    spectrum /= np.sqrt(np.arange(1, len(spectrum) + 1))
    pink = np.resize(np.fft.irfft(spectrum), count)
    swell = 3 * np.sin(2 * np.pi * np.arange(count) / (RATE * 40))  # decibels
    noise: Sound = (pink / pink.std() * 10 ** ((swell - 60) / 20)).astype(np.float32)
    return noise
