import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ast_edge.frontend.resampler import Resampler

RATES = [8000, 11025, 16000, 22050, 44100, 48000, 96000]
OUT = 16000


def noise(count, channels=1, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.standard_normal((count, channels)) * 0.1).astype(np.float32)


def resampled(samples, rate, cuts=()):
    resampler = Resampler(rate, samples.shape[1], OUT)
    parts = [resampler.feed(part) for part in np.split(samples, sorted(cuts))]
    return np.concatenate([*parts, resampler.flush()])


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(RATES), st.lists(st.integers(0, 20000), max_size=20), st.booleans())
def test_any_cutting_gives_the_same_samples(rate, cuts, single_samples):
    samples = noise(20000, channels=2)
    if single_samples:
        cuts = [*cuts, *range(100), 5000, 5000]
    np.testing.assert_array_equal(resampled(samples, rate, cuts), resampled(samples, rate))


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("count", [0, 1, 7, 100, 30873, 144011])
def test_the_number_of_samples_is_the_rounded_ratio(rate, count):
    assert len(resampled(noise(count), rate)) == int(count * OUT / rate + 0.5)


@pytest.mark.parametrize("rate", RATES)
def test_a_click_stays_where_it_was(rate):
    samples = np.zeros((rate, 1), np.float32)
    samples[rate // 2] = 1
    position = np.argmax(np.abs(resampled(samples, rate)))
    assert position == round(rate // 2 * OUT / rate)


def test_a_tone_keeps_its_frequency_and_level():
    samples = np.sin(2 * np.pi * 1000 * np.arange(44100) / 44100)[:, None].astype(np.float32)
    expected = np.sin(2 * np.pi * 1000 * np.arange(OUT) / OUT)
    middle = slice(1000, -1000)
    np.testing.assert_allclose(resampled(samples, 44100)[middle], expected[middle], atol=1e-4)


def test_equal_rates_pass_through_without_delay():
    samples = noise(160)
    np.testing.assert_array_equal(Resampler(OUT, 1, OUT).feed(samples), samples[:, 0])


def test_channels_are_averaged():
    samples = np.array([[0.5, 0.1], [-0.5, 0.5]], np.float32)
    np.testing.assert_allclose(Resampler(OUT, 2, OUT).feed(samples), [0.3, 0.0], atol=1e-7)


@pytest.mark.parametrize("end", ["reset", "flush"])
def test_nothing_of_the_old_stream_reaches_the_new_one(end):
    resampler = Resampler(48000, 1, OUT)
    resampler.feed(noise(5000, seed=1))
    getattr(resampler, end)()
    heard = np.concatenate([resampler.feed(noise(5000)), resampler.flush()])
    np.testing.assert_array_equal(heard, resampled(noise(5000), 48000))


def test_a_wrong_number_of_channels_is_refused():
    with pytest.raises(ValueError, match=r"expected samples \(n, 2\), got \(3, 1\)"):
        Resampler(48000, 2, OUT).feed(noise(3))


def test_one_channel_can_be_chosen():
    samples = noise(4800, 3)
    found = Resampler(48000, 3, OUT, channel=2).feed(samples)
    np.testing.assert_array_equal(found, Resampler(48000, 1, OUT).feed(samples[:, 1:2]))


@pytest.mark.parametrize("channel", [0, 3])
def test_a_channel_that_is_not_there_is_refused(channel):
    with pytest.raises(ValueError, match=f"expected a channel from 1 to 2, got {channel}"):
        Resampler(48000, 2, OUT, channel=channel)
