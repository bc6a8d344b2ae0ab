import numpy as np
import pytest

from ast_edge.tuning.shares import EVEN, Trial, divide


def trial(*points):
    """A label that costs and finds this much, one pair for each `on`."""
    rates, recalls = np.array(points).T
    return Trial(rates, recalls)


def cost_and_recall(trials, shares):
    """What is found with shares: the best of what each label may choose."""
    within = [one.rates <= share + 1e-9 for one, share in zip(trials, shares, strict=True)]
    return sum(
        float(one.recalls[may].max(initial=0.0)) for one, may in zip(trials, within, strict=True)
    )


def random_trials(seed):
    rng = np.random.default_rng(seed)
    return [
        Trial(np.sort(rng.gamma(0.5, 2.0, 40)), np.sort(rng.uniform(0, rng.uniform(), 40)))
        for _ in range(8)
    ]


def test_without_any_references_all_labels_get_the_same():
    nothing = Trial(np.array([0.1, 1.0]), None)
    assert divide(6.0, [nothing] * 3) == pytest.approx([2.0] * 3)


def test_a_label_without_references_gets_what_it_would_have_got_had_all_got_the_same():
    shares = divide(6.0, [Trial(np.array([0.0, 9.0]), None), trial((0, 0), (5, 1)), trial((0, 1))])
    assert shares[0] == pytest.approx(2.0)


def test_false_alarms_are_allowed_where_something_is_found_for_them():
    useless, useful = trial((0, 0.2), (1, 0.2), (2, 0.2)), trial((0, 0.1), (1, 0.5), (1.5, 0.9))
    shares = divide(2.0, [useless, useful])
    assert shares[0] == pytest.approx(EVEN)
    assert 1.5 <= shares[1] <= 1.8


@pytest.mark.parametrize("seed", range(20))
def test_the_shares_are_no_more_than_the_wish(seed):
    for wish in (0.01, 1.0, 30.0):
        assert sum(divide(wish, random_trials(seed))) <= wish * (1 + 1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_as_much_is_found_as_by_any_random_division(seed):
    trials, rng = random_trials(seed), np.random.default_rng(seed)
    divided = divide(4.0, trials)
    spent = sum(divided)
    best = cost_and_recall(trials, divided)
    # All of these keep the floor too, and spend what was spent.
    floor = EVEN * 4.0 / len(trials)
    rest = spent - floor * len(trials)
    for _ in range(200):
        shares = floor + rest * rng.dirichlet(np.full(len(trials), 0.5))
        assert cost_and_recall(trials, shares) <= best + 1e-9


def test_a_threshold_where_events_merge_into_few_costs_what_those_above_it_cost():
    merged = trial((0.0, 0.0), (9.0, 0.5), (0.5, 1.0))
    assert divide(1.0, [merged]) == pytest.approx([EVEN])
