"""Rooms: measured impulse responses, and reverberation made of decaying noise."""

import numpy as np
from numpy.typing import NDArray
from scipy.signal import oaconvolve

Audio = NDArray[np.float32]

LONGEST_SECONDS = 0.8
"""Of a response; what comes later is too quiet to matter."""
DECAY_SECONDS = (0.15, 0.8)
"""Reverberation times (60 dB) of rooms in homes."""
DIRECT_DB = (-12.0, 12.0)
"""Direct sound against reverberation, from across the hall to beside the microphone."""


def made_response(sample_rate: int, rng: np.random.Generator) -> Audio:
    """Make a response (samples,): a direct sound and exponentially decaying noise (Polack 1988)."""
    decay = rng.uniform(*DECAY_SECONDS)
    times = np.arange(round(min(decay, LONGEST_SECONDS) * sample_rate)) / sample_rate
    tail = rng.standard_normal(len(times)) * 10 ** (-3 * times / decay)
    tail[: round(rng.uniform(0.001, 0.01) * sample_rate)] = 0  # nothing before the first wall
    direct = 10 ** (rng.uniform(*DIRECT_DB) / 20)
    response: Audio = (tail / np.sqrt(np.square(tail).sum() + 1e-12)).astype(np.float32)
    response[0] = direct
    return response


def measured_response(samples: Audio, sample_rate: int) -> Audio:
    """Cut a measured response (samples,) so that it begins with its direct sound.

    So the onset of what sounds in the room stays where it is.
    """
    start = int(np.abs(samples).argmax())
    response: Audio = samples[start : start + round(LONGEST_SECONDS * sample_rate)]
    return response


def reverberate(samples: Audio, response: Audio) -> Audio:
    """Let a sound (n,) be heard in a room (m,): (n + m - 1,)."""
    heard: Audio = oaconvolve(samples, response).astype(np.float32)
    return heard
