"""Smoke and carbon monoxide alarms, synthesised by the patterns of their standards.

Smoke alarms sound temporal three (ISO 8201, NFPA 72): three tones of 0.5 s, 0.5 s apart, then
1.5 s of silence; at about 3100 Hz, or as a 520 Hz square wave (NFPA 72, 18.4.6, for sleeping
rooms). Carbon monoxide alarms sound temporal four (NFPA 720): four of 0.1 s, 0.1 s apart, then 5 s.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

SAMPLE_RATE = 16000
SECONDS = 8.0
LICENCE = "CC0 1.0 (synthesised)"


@dataclass(frozen=True)
class Pattern:
    """Tones of one length with pauses between, then a longer pause."""

    tones: int
    tone: float
    pause: float
    rest: float


TEMPORAL_THREE = Pattern(3, 0.5, 0.5, 1.5)
TEMPORAL_FOUR = Pattern(4, 0.1, 0.1, 5.0)


def alarm(rng: np.random.Generator) -> tuple[str, NDArray[np.float32]]:
    """Make one alarm, `smoke` or `carbon_monoxide`, each different: (samples,) at 16 kHz.

    Standards leave 10 % to the durations; devices differ in pitch, harmonics and how they ring.
    """
    smoke = rng.random() < 0.75
    pattern = TEMPORAL_THREE if smoke else TEMPORAL_FOUR
    low = smoke and rng.random() < 0.25
    hertz = rng.uniform(505, 535) if low else rng.uniform(2800, 3500)
    times = np.arange(round(SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    wobble = rng.uniform(0, 0.004) * np.sin(2 * np.pi * rng.uniform(4, 30) * times)
    phase = 2 * np.pi * np.cumsum(hertz * (1 + wobble)) / SAMPLE_RATE
    wave = np.zeros_like(times)
    for harmonic in range(1, int(SAMPLE_RATE / 2 / hertz) + 1):
        strength = rng.uniform(0.05, 0.4) / harmonic if harmonic > 1 else 1.0
        if low:  # a square wave has odd harmonics only
            strength = harmonic % 2 / harmonic
        wave += strength * np.sin(harmonic * phase + rng.uniform(0, 2 * np.pi))
    wave *= _envelope(pattern, rng)
    return "smoke" if smoke else "carbon_monoxide", (0.5 * wave / np.abs(wave).max()).astype("f4")


def _envelope(pattern: Pattern, rng: np.random.Generator) -> NDArray[np.float64]:
    stretch, attack = rng.uniform(0.95, 1.05), rng.uniform(0.002, 0.02)
    envelope = np.zeros(round(SECONDS * SAMPLE_RATE))
    at, number = rng.uniform(0, 0.3), 0
    while at < SECONDS:
        size = round(pattern.tone * stretch * SAMPLE_RATE)
        times = np.arange(size) / SAMPLE_RATE
        shape = np.minimum(1, np.minimum(times, times[::-1]) / attack)
        start = round(at * SAMPLE_RATE)
        part = envelope[start : start + size]
        part[:] = shape[: len(part)]
        number += 1
        last = number % pattern.tones == 0
        at += (pattern.tone + (pattern.rest if last else pattern.pause)) * stretch
    return envelope


def write_alarms(folder: Path, count: int, seed: int) -> Path:
    """Write `count` alarms as FLAC into a folder, and their table; return the table's path."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    table = folder / "alarms.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["filename", "label", "licence"])
        for number in range(count):
            label, samples = alarm(rng)
            # The letter keeps each a source of its own: takes differ in a trailing number.
            name = f"{number:03d}_{label}.flac"
            soundfile.write(folder / name, samples, SAMPLE_RATE)
            rows.writerow([name, label, LICENCE])
    return table
