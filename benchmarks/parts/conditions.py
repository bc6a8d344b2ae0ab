"""What befalls a recording on its way to a microphone, one thing at a time."""

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from ast_training.data.audio_cache import AudioCache
from ast_training.soundscapes.composer import at_level, loudness, ratio
from ast_training.soundscapes.degradation import compand, compress, limit_band, overdrive
from ast_training.soundscapes.room import made_response, measured_response, reverberate

Audio = NDArray[np.float32]

GAINS = (-20, -10, 10, 20)
SNRS = (20, 10, 5, 0, -5)
DIRECT = (10, 0, -6, -12)
CLIPPING = (6, 12, 20)
TELEPHONE_HERTZ = 8000


@dataclass(frozen=True)
class Condition:
    """One thing that befalls all recordings."""

    name: str
    change: Callable[[Audio, np.random.Generator], Audio]
    """Of samples (n,), full scale at 1.0; the length may grow by a room's response."""
    kind: str
    """Conditions of a kind are points of one curve."""
    decibels: float = 0.0
    """Where on that curve it lies."""


CLEAN = Condition("clean", lambda samples, rng: samples, "clean")


def make_conditions(rate: int, backgrounds: AudioCache, rooms: AudioCache) -> list[Condition]:
    """Return all conditions for recordings of this rate in hertz, `CLEAN` first.

    Without background noise or rooms those that need them are left out.
    """
    made = [CLEAN]
    made += [_gain(db) for db in GAINS]
    made += [_noise(db, rate, backgrounds) for db in SNRS if len(backgrounds)]
    made += _codecs(rate)
    made += [_far(db, rate) for db in DIRECT]
    if len(rooms):
        made.append(Condition("measured room", _measured(rate, rooms), "room"))
    made += [_clipping(db) for db in CLIPPING]
    return made


def as_recorded(samples: Audio) -> Audio:
    """Cut at full scale and round to 16 bits, as a sound card does."""
    rounded: Audio = np.rint(samples * 32768).clip(-32768, 32767).astype(np.float32)
    return rounded / np.float32(32768)


def add_noise(samples: Audio, noise: Audio, snr_db: float, rate: int) -> Audio:
    """Add noise (n,) at a ratio of the loudest 100 ms of both, as in `SoundscapeConfig.snr_db`."""
    return samples + at_level(noise, loudness(samples, rate) / ratio(snr_db), rate)


def telephone(samples: Audio, rate: int) -> Audio:
    """Send it through a telephone: 300 to 3400 Hz at 8 kHz, GSM 06.10 at 13 kbit/s."""
    top = np.float32(np.abs(samples).max(initial=0) / 0.9) or np.float32(1)
    low = soxr.resample(limit_band(samples, rate, 300, 3400), rate, TELEPHONE_HERTZ)
    file = io.BytesIO()
    soundfile.write(file, low / top, TELEPHONE_HERTZ, format="WAV", subtype="GSM610")
    file.seek(0)
    decoded, _ = soundfile.read(file, dtype="float32")
    heard = soxr.resample(decoded[: len(low)], TELEPHONE_HERTZ, rate)[: len(samples)] * top
    return np.pad(heard.astype(np.float32), (0, len(samples) - len(heard)))


def from_afar(samples: Audio, direct_db: float, rate: int, rng: np.random.Generator) -> Audio:
    """Let it be heard in a made room, as loud, with this level of direct sound to reverberation."""
    response = made_response(rate, rng)
    response[0] = ratio(direct_db)  # what comes later has the energy 1
    return at_level(reverberate(samples, response), loudness(samples, rate), rate)


def _gain(db: float) -> Condition:
    return Condition(
        f"gain {db:+d} dB", lambda samples, rng: samples * np.float32(ratio(db)), "gain", db
    )


def _noise(db: float, rate: int, backgrounds: AudioCache) -> Condition:
    def change(samples: Audio, rng: np.random.Generator) -> Audio:
        noise = backgrounds.samples(int(rng.integers(len(backgrounds))))
        noise = np.resize(np.roll(noise, int(rng.integers(len(noise)))), len(samples))
        return add_noise(samples, noise, db, rate)

    return Condition(f"SNR {db:d} dB", change, "noise", db)


def _codecs(rate: int) -> list[Condition]:
    levels = {
        "Vorbis": (("OGG", "VORBIS"), 1.0),
        "MP3": (("MP3", "MPEG_LAYER_III"), 0.99),
        "Opus": (("OGG", "OPUS"), 0.99),
    }  # of noise at 16 kHz about 35, 18 and 8 kbit/s
    made = [_codec(name, rate, codec, level) for name, (codec, level) in levels.items()]
    made.append(Condition("G.711", lambda samples, rng: compand(samples), "codec"))
    made.append(Condition("telephone", lambda samples, rng: telephone(samples, rate), "codec"))
    return made


def _codec(name: str, rate: int, codec: tuple[str, str], level: float) -> Condition:
    return Condition(name, lambda samples, rng: compress(samples, rate, codec, level), "codec")


def _far(db: float, rate: int) -> Condition:
    return Condition(
        f"far field {db:d} dB", lambda samples, rng: from_afar(samples, db, rate, rng), "far", db
    )


def _measured(rate: int, rooms: AudioCache) -> Callable[[Audio, np.random.Generator], Audio]:
    def change(samples: Audio, rng: np.random.Generator) -> Audio:
        response = measured_response(rooms.samples(int(rng.integers(len(rooms)))), rate)
        return at_level(reverberate(samples, response), loudness(samples, rate), rate)

    return change


def _clipping(db: float) -> Condition:
    return Condition(
        f"clipped {db:d} dB", lambda samples, rng: overdrive(samples, db), "clipping", db
    )
