import numpy as np
import pytest
from rigs.training.packs import RATE, tone
from rigs.training.packs import hiss as white

from ast_training.soundscapes.degradation import (
    CODECS,
    OCTAVES,
    colour,
    compand,
    compress,
    degrade,
    hiss,
    limit_band,
    overdrive,
)

OFF = {"equalizer": 0.0, "band": 0.0, "clipping": 0.0, "codec": 0.0}


def rms(samples):
    return float(np.sqrt(np.square(samples[1000:-1000]).mean()))


@pytest.mark.parametrize("octave", [2, 4, 6])
def test_an_equaliser_amplifies_its_octave_by_its_gain(octave):
    gains = np.zeros(len(OCTAVES))
    gains[octave] = 6.0
    samples = tone(OCTAVES[octave], 1.0)
    assert 20 * np.log10(rms(colour(samples, RATE, gains)) / rms(samples)) == pytest.approx(
        6, abs=0.1
    )


@pytest.mark.parametrize(("hertz", "decibels"), [(1000, 0), (4000, -3), (100, -3), (50, -48)])
def test_a_band_ends_where_it_should(hertz, decibels):
    samples = tone(hertz, 1.0)
    heard = limit_band(samples, RATE, 100, 4000)
    assert 20 * np.log10(rms(heard) / rms(samples)) == pytest.approx(decibels, abs=0.5)


def test_clipping_cuts_the_loudest_samples_only():
    samples = tone(300)
    heard = overdrive(samples, 6.0)
    limit = 0.3 * 10 ** (-6 / 20)
    assert np.abs(heard).max() == pytest.approx(limit, rel=1e-3)
    quiet = np.abs(samples) < limit * 0.999
    np.testing.assert_array_equal(heard[quiet], samples[quiet])


def test_companding_leaves_an_error_of_telephones():
    samples = tone(300)
    noise = compand(samples) - samples
    assert 20 * np.log10(rms(samples) / rms(noise)) == pytest.approx(38, abs=4)


@pytest.mark.parametrize("codec", CODECS)
def test_a_codec_changes_the_sound_and_leaves_length_and_level(codec):
    samples = tone(300, 1.0) + white(1, 1.0, 0.02)
    heard = compress(samples, RATE, codec, 0.9)
    assert heard.shape == samples.shape
    assert not np.array_equal(heard, samples)
    assert rms(heard) == pytest.approx(rms(samples), rel=0.2)


def test_nothing_happens_with_probability_0():
    samples = tone(300)
    np.testing.assert_array_equal(degrade(samples, RATE, np.random.default_rng(1), **OFF), samples)


@pytest.mark.parametrize("what", OFF)
def test_silence_stays_finite(what):
    silence = np.zeros(RATE, np.float32)
    for seed in range(6):
        heard = degrade(silence, RATE, np.random.default_rng(seed), **(OFF | {what: 1.0}))
        assert np.abs(heard).max() < 1e-3


@pytest.mark.parametrize("tilt", [0.0, 1.0])
def test_a_microphone_hisses_at_its_level(tilt):
    noise = hiss(RATE, 0.01, tilt, np.random.default_rng(1))
    assert float(np.sqrt(np.square(noise).mean())) == pytest.approx(0.01, rel=0.01)


def test_pink_noise_loses_three_decibels_an_octave():
    noise = hiss(16 * RATE, 0.01, 1.0, np.random.default_rng(1))
    power = np.square(np.abs(np.fft.rfft(noise)))
    hertz = np.fft.rfftfreq(len(noise), 1 / RATE)
    octaves = [power[(hertz >= f) & (hertz < 2 * f)].mean() for f in (500, 1000, 2000)]
    falls = 10 * np.log10(np.divide(octaves[:-1], octaves[1:]))
    np.testing.assert_allclose(falls, 3, atol=0.3)
