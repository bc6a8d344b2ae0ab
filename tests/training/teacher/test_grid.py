import numpy as np
import pytest

from ast_training.teacher.grid import step_count, step_middles


@pytest.mark.parametrize(("samples", "steps"), [(64000, 8), (1000, 1), (67000, 8), (69000, 9)])
def test_a_sound_has_a_step_for_every_half_second_and_at_least_one(samples, steps):
    assert step_count(samples) == steps


def test_the_middle_of_the_first_step_is_half_a_step_in():
    np.testing.assert_array_equal(step_middles(24000), [0.25, 0.75, 1.25])
