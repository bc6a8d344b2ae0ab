import numpy as np
import pytest

from ast_edge.audio.stream import LOUDEST, Block, Stream
from ast_edge.frontend.conditioner import Conditioning
from ast_edge.frontend.fbank import FbankSpec
from ast_edge.frontend.listener import Listener
from ast_edge.frontend.listening import Listening

BAD = [np.nan, np.inf, -np.inf, 1e20, -1e20, 3e38, -3e38, 2 * LOUDEST]


def block(samples):
    stream = Stream("test", 16000, samples.shape[1], 0.0, live=False)
    return Block(stream, 0, samples)


def noise(channels=1):
    return np.random.default_rng(1).normal(0, 0.1, (16000, channels)).astype(np.float32)


@pytest.mark.parametrize("value", BAD)
@pytest.mark.parametrize("channels", [1, 2])
def test_samples_that_are_no_sound_are_silence_and_counted(value, channels):
    samples = noise(channels)
    samples[[3, 700, 15999]] = value
    heard = block(samples)
    good = noise(channels)
    good[[3, 700, 15999]] = 0
    np.testing.assert_array_equal(heard.samples, good)
    assert heard.samples.dtype == np.float32
    assert heard.bad_samples == 3 * channels


def test_sound_stays_as_it_is_however_loud():
    samples = noise() * 1e5
    heard = block(samples)
    assert heard.samples is samples
    assert heard.bad_samples == 0


@pytest.mark.parametrize("values", [BAD, [LOUDEST, -LOUDEST]])
@pytest.mark.parametrize("rate", [16000, 44100])
def test_whatever_the_samples_are_the_filterbank_is_finite(values, rate):
    stream = Stream("test", rate, 2, 0.0, live=False)
    samples = np.random.default_rng(1).choice(np.array(values, np.float32), (rate, 2))
    spec = FbankSpec()
    listener = Listener(Listening(spec, 50, 0.1, Conditioning(gain_db=60, high_pass=100)))
    windows = listener.feed(Block(stream, 0, samples)) + listener.flush()
    assert windows
    assert all(np.isfinite(window.fbank).all() for window in windows)


def test_sound_read_from_a_wrong_byte_on_is_taken():
    data = noise(2).tobytes()[1:-3]
    heard = block(np.frombuffer(data, "<f4")[: len(data) // 8 * 2].reshape(-1, 2))
    assert np.isfinite(heard.samples).all()
    assert heard.bad_samples > 100
