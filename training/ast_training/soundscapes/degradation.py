"""What happens to sound between its source and the samples: colour, bandwidth, clipping, codecs."""

import io

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

Audio = NDArray[np.float32]

OCTAVES = np.array([62.5, 125, 250, 500, 1000, 2000, 4000, 8000])
"""Hertz; between them an equaliser's curve is drawn straight, over the logarithm."""
CODECS = (("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III"), ("WAV", "GSM610"))
TELEPHONE_RATE = 8000
"""Hertz; what GSM is heard at."""


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
    scaled = samples * np.float32(0.9 / top)
    if codec[1] == "GSM610":
        narrow = soxr.resample(scaled, sample_rate, TELEPHONE_RATE)
        decoded = soxr.resample(_coded(narrow, TELEPHONE_RATE, codec), TELEPHONE_RATE, sample_rate)
    else:
        decoded = _coded(scaled, sample_rate, codec, compression_level=level)
    out = np.zeros_like(samples)
    out[: len(decoded)] = decoded[: len(out)] * np.float32(top / 0.9)
    return out


def _coded(samples: Audio, sample_rate: int, codec: tuple[str, str], **options: float) -> Audio:
    file = io.BytesIO()
    soundfile.write(file, samples, sample_rate, format=codec[0], subtype=codec[1], **options)
    file.seek(0)
    decoded: Audio = soundfile.read(file, dtype="float32")[0]
    return decoded


def hiss(length: int, level: float, tilt: float, rng: np.random.Generator) -> Audio:
    """Make a microphone's own noise (length,) of the RMS `level`.

    Args:
        length: in samples.
        level: full scale is 1.
        tilt: 0 for white noise, 1 for pink, between them for what is between.
        rng: draws it.
    """
    spectrum = np.fft.rfft(rng.standard_normal(length))
    spectrum *= np.maximum(np.arange(len(spectrum)), 1) ** (-tilt / 2)
    noise = np.fft.irfft(spectrum, length)
    out: Audio = (noise * (level / (np.sqrt(np.square(noise).mean()) + 1e-12))).astype(np.float32)
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
