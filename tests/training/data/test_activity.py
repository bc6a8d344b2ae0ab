import numpy as np
import pytest
from rigs.training.packs import RATE, hiss, tone

from ast_training.data.activity import activities, loud_runs


def sequence(*parts):
    """Sounds, and pauses given as seconds of silence, one after another."""
    return np.concatenate(
        [np.zeros(round(p * RATE), np.float32) if isinstance(p, float) else p for p in parts]
    )


@pytest.mark.parametrize("before", [0.0, 0.31, 1.0])
def test_a_sound_padded_with_silence_is_found_to_20_ms(before):
    (found,) = activities(loud_runs(sequence(before, tone(700, 0.4), 1.0), RATE))
    assert (found.onset, found.offset) == pytest.approx((before, before + 0.4), abs=0.02)


def test_a_sound_over_noise_is_found():
    noise = hiss(1, 3.0, level=0.003)
    noise[RATE : 2 * RATE] += tone(700, 1.0)
    (found,) = activities(loud_runs(noise, RATE))
    assert (found.onset, found.offset) == pytest.approx((1.0, 2.0), abs=0.03)


def test_a_steady_sound_is_active_throughout():
    (found,) = activities(loud_runs(tone(440, 1.0), RATE))
    assert (found.onset, found.offset) == pytest.approx((0.0, 1.0), abs=0.01)


@pytest.mark.parametrize(("pause", "parts"), [(0.1, 2), (0.5, 1)])
def test_a_pause_shorter_than_allowed_belongs_to_the_sound(pause, parts):
    knocks = sequence(tone(300, 0.2), 0.3, tone(300, 0.2), 0.5)
    assert len(activities(loud_runs(knocks, RATE), pause)) == parts


@pytest.mark.parametrize(
    "samples", [np.zeros(RATE, np.float32), tone(440, 0.01), np.zeros(0, np.float32)]
)
def test_silence_and_what_is_too_short_have_no_activity(samples):
    assert activities(loud_runs(samples, RATE)) == ()


def test_a_click_alone_is_no_sound():
    click = np.zeros(RATE, np.float32)
    click[8000] = 1e-6
    assert activities(loud_runs(click, RATE)) == ()
