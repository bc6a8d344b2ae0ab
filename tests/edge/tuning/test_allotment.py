import itertools

import numpy as np
import pytest

from ast_edge.tuning import allotment
from ast_edge.tuning.allotment import allot


def reached(rates, found, shares):
    """The mean of what is found with the lowest threshold that each label may have."""
    return np.mean(
        [
            values[max(0, int(np.sum(np.maximum.accumulate(rate) <= share + 1e-9)) - 1)]
            for rate, values, share in zip(rates, found, shares, strict=True)
        ]
    )


def test_without_anything_to_find_all_get_the_same():
    rates = [np.array([0.0, 1.0])] * 4
    assert allot(rates, [None] * 4, 2.0) == [0.5] * 4


def test_a_false_alarm_goes_where_most_is_found_for_it():
    rates = [np.array([0.0, 1.5]), np.array([0.0, 1.5])]
    found = [np.array([0.0, 0.9]), np.array([0.0, 0.1])]
    assert allot(rates, found, 2.0) == [1.5, 0.5]


def test_what_is_left_goes_to_the_next_best():
    rates = [np.array([0.0, 1.5]), np.array([0.0, 1.5])]
    found = [np.array([0.0, 0.9]), np.array([0.0, 0.1])]
    assert allot(rates, found, 3.0) == [1.5, 1.5]


def test_a_label_keeps_half_of_its_share_whatever_others_find():
    rates = [np.array([0.0, 1.0, 2.0]), np.array([0.0, 0.2, 2.0])]
    found = [np.array([0.0, 0.5, 1.0]), np.array([1.0, 1.0, 1.0])]
    assert allot(rates, found, 2.0) == [1.25, 0.75]


def test_a_label_with_nothing_to_find_keeps_its_equal_share():
    rates = [np.array([0.0, 1.0])] * 2
    assert allot(rates, [None, np.array([0.0, 1.0])], 2.0) == [1.0, 1.0]


def test_what_nothing_is_found_for_is_left_to_all():
    rates = [np.array([0.0, 9.0])] * 2
    assert allot(rates, [np.array([1.0, 1.0])] * 2, 2.0) == [1.0, 1.0]


def test_a_way_over_a_bad_threshold_to_a_good_one_is_found():
    rates = [np.array([0.0, 1.0, 1.1]), np.array([0.0, 1.0, 1.1])]
    found = [np.array([0.0, 0.01, 0.9]), np.array([0.0, 0.1, 0.2])]
    assert allot(rates, found, 1.8) == pytest.approx([1.1 + 0.125, 0.45 + 0.125])


def test_a_label_whose_highest_threshold_costs_too_much_gets_nothing():
    rates = [np.array([3.0, 4.0]), np.array([0.5, 1.0])]
    assert allot(rates, [np.array([0.9, 1.0])] * 2, 2.0) == [0.0, 2.0]


def test_where_events_merge_a_threshold_costs_what_those_above_it_do():
    rates = [np.array([0.0, 2.0, 1.0]), np.array([0.0, 1.0, 1.0])]
    found = [np.array([0.0, 0.0, 0.9]), np.array([0.0, 0.5, 0.5])]
    assert allot(rates, found, 2.0) == [0.75, 1.25]


@pytest.mark.parametrize("seed", range(20))
def test_it_is_within_a_step_of_the_best_of_all_divisions(seed, monkeypatch):
    monkeypatch.setattr(allotment, "EQUAL", 0.0)
    rng = np.random.default_rng(seed)
    rates = [rng.uniform(0.01, 0.3, 5).cumsum() for _ in range(4)]
    found = [rng.uniform(0, 0.25, 5).cumsum() for _ in range(4)]
    shares = allot(rates, found, 1.5)
    assert sum(shares) <= 1.5 + 1e-9
    best = max(
        np.mean([values[one] for values, one in zip(found, choice, strict=True)])
        for choice in itertools.product(range(5), repeat=4)
        if sum(rate[one] for rate, one in zip(rates, choice, strict=True)) <= 1.5
    )
    assert best - 0.25 / 2 <= reached(rates, found, shares) <= best + 1e-9
