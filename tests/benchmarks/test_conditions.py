import numpy as np
import pytest
from rigs.training.packs import RATE, hiss, tone

pytest.importorskip("torch", reason="torch is not installed")
from parts.conditions import CLEAN, add_noise, as_recorded, from_afar, make_conditions, telephone

from ast_training.data.audio_cache import AudioCache
from ast_training.soundscapes.composer import loudness

NOTHING = AudioCache([], RATE)


def level(samples, low, high):
    """Energy between two frequencies in decibels."""
    spectrum = np.abs(np.fft.rfft(samples)) ** 2
    hertz = np.fft.rfftfreq(len(samples), 1 / RATE)
    return 10 * np.log10(spectrum[(hertz >= low) & (hertz < high)].sum() + 1e-12)


@pytest.mark.parametrize("condition", make_conditions(RATE, NOTHING, NOTHING), ids=lambda c: c.name)
def test_every_condition_leaves_a_sound_of_finite_samples(condition):
    changed = condition.change(tone(1000), np.random.default_rng(0))
    assert len(changed) >= len(tone(1000))
    assert np.isfinite(changed).all()
    assert np.array_equal(changed, tone(1000)) == (condition is CLEAN)


def test_without_noise_and_rooms_nothing_is_said_of_them():
    kinds = {condition.kind for condition in make_conditions(RATE, NOTHING, NOTHING)}
    assert kinds == {"clean", "gain", "codec", "far", "clipping"}


def test_noise_has_the_level_that_the_ratio_says():
    sound = tone(1000)
    noise = add_noise(sound, hiss(1), -6.0, RATE) - sound
    assert 20 * np.log10(loudness(sound, RATE) / loudness(noise, RATE)) == pytest.approx(-6, abs=1)


def test_a_telephone_takes_bass_and_treble_away():
    heard = telephone(hiss(1, 2.0), RATE)
    assert len(heard) == 2 * RATE
    assert level(heard, 500, 3000) - level(hiss(1, 2.0), 500, 3000) == pytest.approx(0, abs=3)
    assert level(heard, 4200, 8000) < level(hiss(1, 2.0), 4200, 8000) - 30
    assert level(heard, 0, 150) < level(hiss(1, 2.0), 0, 150) - 10


def test_from_afar_a_sound_is_as_loud_and_goes_on_after_its_end():
    heard = from_afar(tone(1000), -12.0, RATE, np.random.default_rng(3))
    assert loudness(heard, RATE) == pytest.approx(loudness(tone(1000), RATE), rel=1e-3)
    assert np.abs(heard[len(tone(1000)) :]).max() > 0.01


def test_what_is_recorded_has_16_bits_and_full_scale():
    recorded = as_recorded(np.array([2.0, -2.0, 0.1], np.float32)) * 32768
    assert recorded.tolist() == [32767, -32768, 3277]
