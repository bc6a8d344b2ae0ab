import numpy as np
import pytest

from ast_training.teacher.grid import around_steps, step_count, step_middles


@pytest.mark.parametrize(("samples", "steps"), [(64000, 8), (1000, 1), (67000, 8), (69000, 9)])
def test_a_sound_has_a_step_for_every_half_second_and_at_least_one(samples, steps):
    assert step_count(samples) == steps


def test_the_middle_of_the_first_step_is_half_a_step_in():
    np.testing.assert_array_equal(step_middles(24000), [0.25, 0.75, 1.25])


def test_windows_lie_around_their_steps_and_within_the_sound():
    sound = np.arange(32000, dtype=np.float32)[None]
    starts = around_steps(sound, 16000)[0, :, 0]
    np.testing.assert_array_equal(starts, [0, 4000, 12000, 16000])


def test_a_sound_shorter_than_a_window_gets_silence_behind_it():
    windows = around_steps(np.ones((2, 8000), np.float32), 16000)
    assert windows.shape == (2, 1, 16000)
    assert windows[:, :, :8000].all()
    assert not windows[:, :, 8000:].any()
