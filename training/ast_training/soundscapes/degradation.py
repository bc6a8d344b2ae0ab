"""What happens to sound between its source and the samples: colour, bandwidth, clipping, codecs."""

import io

import numpy as np
import soundfile
from numpy.typing import NDArray

Audio = NDArray[np.float32]

OCTAVES = np.array([62.5, 125, 250, 500, 1000, 2000, 4000, 8000])
"""Hertz; between them an equaliser's curve is drawn straight, over the logarithm."""
CODECS = (("OGG", "VORBIS"), ("MP3", "MPEG_LAYER_III"))


def colour(samples: Audio, sample_rate: int, gains_db: NDArray[np.float64]) -> Audio:
    """Amplify each octave of `OCTAVES` by its gain (8,), without delay."""
    spectrum = np.fft.rfft(samples)
    hertz = np.fft.rfftfreq(len(samples), 1 / sample_rate)
    gains = np.interp(np.log2(np.maximum(hertz, 1.0)), np.log2(OCTAVES), gains_db)
    out: Audio = np.fft.irfft(spectrum * 10 ** (gains / 20), len(samples)).astype(np.float32)
    return out


def limit_band(samples: Audio, sample_rate: int, low: float, high: float) -> Audio:
    """Take away what lies below `low` and above `high` hertz, by 48 dB an octave."""
    spectrum = np.fft.rfft(samples)
    hertz = np.maximum(np.fft.rfftfreq(len(samples), 1 / sample_rate), 1.0)
    gain = 1 / np.sqrt((1 + (low / hertz) ** 16) * (1 + (hertz / high) ** 16))
    out: Audio = np.fft.irfft(spectrum * gain, len(samples)).astype(np.float32)
    return out


def overdrive(samples: Audio, excess_db: float) -> Audio:
    """Cut off all that is within `excess_db` of the loudest sample."""
    limit = np.float32(np.abs(samples).max(initial=0) * 10 ** (-excess_db / 20))
    return samples.clip(-limit, limit)


def compand(samples: Audio) -> Audio:
    """Round to the 8 bits of a telephone (G.711, mu-law)."""
    top = np.abs(samples).max(initial=0) or np.float32(1)
    bent = np.sign(samples) * np.log1p(255 * np.abs(samples) / top) / np.log1p(255)
    rounded = np.rint(bent * 127) / 127
    out: Audio = (np.sign(rounded) * np.expm1(np.abs(rounded) * np.log1p(255)) / 255 * top).astype(
        np.float32
    )
    return out


def compress(samples: Audio, sample_rate: int, codec: tuple[str, str], level: float) -> Audio:
    """Encode and decode; `level` from 0 (best) to 1 (smallest). The length stays."""
    top = float(np.abs(samples).max(initial=0)) or 1.0
    file = io.BytesIO()
    scaled = samples * np.float32(0.9 / top)
    soundfile.write(
        file, scaled, sample_rate, format=codec[0], subtype=codec[1], compression_level=level
    )
    file.seek(0)
    decoded, _ = soundfile.read(file, dtype="float32")
    out = np.zeros_like(samples)
    out[: len(decoded)] = decoded[: len(out)] * np.float32(top / 0.9)
    return out


def degrade(
    samples: Audio,
    sample_rate: int,
    rng: np.random.Generator,
    *,
    equalizer: float,
    band: float,
    clipping: float,
    codec: float,
) -> Audio:
    """Apply each of the four with its probability, drawn at random."""
    if rng.random() < equalizer:
        samples = colour(samples, sample_rate, rng.uniform(-9, 9, len(OCTAVES)))
    if rng.random() < band:
        high = sample_rate / 2 * 2 ** rng.uniform(-1.2, 0)
        samples = limit_band(samples, sample_rate, 2 ** rng.uniform(4.5, 8), high)
    if rng.random() < clipping:
        samples = overdrive(samples, rng.uniform(1, 12))
    if rng.random() < codec:
        kind = int(rng.integers(len(CODECS) + 1))
        if kind == len(CODECS):
            return compand(samples)
        samples = compress(samples, sample_rate, CODECS[kind], rng.uniform(0.4, 1.0))
    return samples
