import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ast_edge.frontend.conditioner import Conditioner, Conditioning, HighPass

RATE = 16_000


def noise(samples, seed=1):
    return np.random.default_rng(seed).normal(0, 0.1, samples).astype(np.float32)


def tone(hertz, seconds=1.0):
    return np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE).astype(np.float32)


def fed_in_pieces(conditioner, samples, sizes):
    pieces, start = [], 0
    for size in [*sizes, len(samples)]:
        pieces.append(conditioner.feed(samples[start : start + size]))
        start += size
    return np.concatenate(pieces)


@pytest.mark.parametrize(
    "conditioning",
    [Conditioning(), Conditioning(gain_db=12), Conditioning(high_pass=80, gain_db=-3)],
    ids=["nothing", "gain", "both"],
)
@given(sizes=st.lists(st.integers(0, 700), max_size=12))
def test_any_cutting_gives_the_same_sound(conditioning, sizes):
    samples = noise(2000)
    whole = Conditioner(conditioning, RATE).feed(samples)
    pieces = fed_in_pieces(Conditioner(conditioning, RATE), samples, sizes)
    assert pieces.dtype == whole.dtype == np.float32
    assert pieces == pytest.approx(whole, abs=1e-6)


@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000])
@pytest.mark.parametrize("cutoff", [10, 80, 400, 3900])
def test_the_high_pass_is_scipys_butterworth(cutoff, rate):
    signal = pytest.importorskip("scipy.signal")
    samples = noise(5000) + 1
    sections = signal.butter(2, cutoff, "high", fs=rate, output="sos")
    expected = signal.sosfilt(sections, samples.astype(np.float64))
    found = fed_in_pieces(HighPass(cutoff, rate), samples, [1, 2, 127, 128, 129, 1000])
    assert found == pytest.approx(expected, abs=1e-9)


def test_hum_goes_and_speech_stays():
    conditioner = Conditioner(Conditioning(high_pass=200), RATE)
    hum = conditioner.feed(tone(50))[RATE // 2 :]
    conditioner.reset()
    voice = conditioner.feed(tone(1000))[RATE // 2 :]
    assert np.abs(hum).max() < 10 ** (-23 / 20)  # two octaves at 12 dB
    assert np.abs(voice).max() == pytest.approx(1.0, abs=0.01)


def test_a_gain_of_6_decibels_doubles():
    samples = noise(100)
    assert Conditioner(Conditioning(gain_db=6.0206), RATE).feed(samples) == pytest.approx(
        2 * samples, rel=1e-4
    )


def test_after_a_reset_the_past_is_forgotten():
    conditioner = Conditioner(Conditioning(high_pass=100), RATE)
    first = conditioner.feed(noise(500))
    conditioner.reset()
    assert np.array_equal(conditioner.feed(noise(500)), first)


@pytest.mark.parametrize("cutoff", [0, 8000])
def test_an_impossible_high_pass_is_refused(cutoff):
    with pytest.raises(ValueError, match="expected a high-pass between 0 and 8000 Hz"):
        HighPass(cutoff, RATE)
