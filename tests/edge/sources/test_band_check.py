import numpy as np
import pytest
import soxr

from ast_edge.sources.band_check import PERIOD, PERIODS, BandCheck

SECONDS = PERIOD * PERIODS + 1


def noise(rate, colour="white"):
    """Return (n,) noise of 60 s with the steps of 16 bits."""
    rng = np.random.default_rng(1)
    sound = rng.normal(0, 1, round(SECONDS * rate))
    if colour == "brown":  # 6 dB less in each octave, as wind and traffic
        sound = np.cumsum(sound)
        sound -= np.convolve(sound, np.ones(400) / 400, "same")
    return np.round(0.1 * sound / sound.std() * 32768) / 32768


def through(sound, rate, narrow):
    """Return sound that was at a narrower rate meanwhile."""
    return np.round(soxr.resample(soxr.resample(sound, rate, narrow), narrow, rate) * 32768) / 32768


def said(check, sound, rate):
    block = rate // 10
    for start in range(0, len(sound) - block, block):
        said = check.feed(sound[start : start + block].astype(np.float32), rate)
    return said


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
@pytest.mark.parametrize("colour", ["white", "brown"])
def test_sound_of_a_full_band_lacks_nothing(rate, colour):
    assert said(BandCheck(), noise(rate, colour), rate) == ""


@pytest.mark.parametrize("rate", [16_000, 48_000])
@pytest.mark.parametrize("colour", ["white", "brown"])
def test_sound_that_was_at_8_khz_on_its_way_ends_at_4(rate, colour):
    text = said(BandCheck(), through(noise(rate, colour), rate, 8000), rate)
    assert text.startswith("its sound ends at 3.9 kHz where the model hears up to 8: ")


def test_what_is_known_of_the_rate_counts_at_once():
    check = BandCheck()
    check.know(8000)
    assert "ends at 4 kHz" in check.feed(np.zeros(1600, np.float32), 16_000)
    check.know(44_100)
    assert check.feed(np.zeros(1600, np.float32), 16_000) == ""


def test_silence_and_a_tone_have_no_end_that_could_be_measured():
    tone = 0.3 * np.sin(np.arange(round(SECONDS * 16_000)) * 2 * np.pi / 16)
    assert said(BandCheck(), np.round(tone * 32768) / 32768, 16_000) == ""
    assert said(BandCheck(), np.zeros(round(SECONDS * 16_000)), 16_000) == ""


def test_a_while_of_low_sound_is_not_enough():
    full = noise(16_000)
    low = through(full, 16_000, 8000)
    half = len(full) // 2
    assert said(BandCheck(), np.concatenate([low[:half], full[:half]]), 16_000) == ""


def test_it_is_over_when_the_band_is_full_again():
    check, full = BandCheck(), noise(16_000)
    assert said(check, through(full, 16_000, 8000), 16_000)
    assert said(check, np.concatenate([full, full]), 16_000) == ""
