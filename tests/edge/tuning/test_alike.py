import numpy as np
import pytest

from ast_edge.tuning.alarms import GRID
from ast_edge.tuning.alike import lifted, mean_rates

ONS = np.array([0.9, 0.5])


def mean_of(rate):
    return np.full(len(GRID), rate)


def test_a_label_without_any_is_taken_to_have_some_of_what_all_have():
    # Gamma with shape 0.5 and mean 0.2 an hour; two hours of bursts of four are half an hour.
    found = lifted(ONS, np.zeros(2), mean_of(0.2), 2.0)
    np.testing.assert_allclose(found, 0.5 / (0.5 / 0.2 + 0.5))


def test_many_of_a_label_are_believed():
    assert lifted(ONS, np.array([3.0, 8.0]), mean_of(0.2), 2.0).tolist() == [3.0, 8.0]


def test_what_all_have_changes_nothing_of_a_label_that_has_as_many():
    np.testing.assert_allclose(lifted(ONS, np.array([0.7, 0.7]), mean_of(0.7), 2.0), 0.7)


@pytest.mark.parametrize("hours", [10.0, 1000.0])
def test_hours_without_any_are_believed_in_the_end(hours):
    found = lifted(ONS, np.zeros(2), mean_of(5.0), hours)
    assert (found < 0.5 / (hours / 4)).all()
    assert (found > 0).all()


def test_where_nobody_has_any_none_is_expected():
    assert lifted(ONS, np.zeros(2), mean_of(0.0), 2.0).tolist() == [0.0, 0.0]


def test_the_mean_takes_the_last_rate_of_a_label_that_was_tried_no_further():
    grid = np.array(GRID)
    whole, short = np.linspace(0, 2, len(grid)), np.array([0.0, 6.0])
    mean = mean_rates([grid, grid[:2]], [whole, short])
    np.testing.assert_allclose(mean[1:], (whole[1:] + 6) / 2)
