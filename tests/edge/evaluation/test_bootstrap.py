import numpy as np
import pytest

from ast_edge.evaluation import bootstrap
from ast_edge.evaluation.bootstrap import UNHEARD, rooms_interval, rooms_limit
from ast_edge.evaluation.poisson import poisson_interval, poisson_limit


@pytest.mark.parametrize("count", [0, 1, 7, 40])
def test_with_one_in_each_room_it_is_the_interval_of_garwood(count, monkeypatch):
    monkeypatch.setattr(bootstrap, "UNHEARD", 1)
    counts = [1] * count + [0] * 5
    assert rooms_interval(counts) == pytest.approx(poisson_interval(count), rel=0.05, abs=0.1)
    assert rooms_limit(counts) == pytest.approx(poisson_limit(count), rel=0.05)


def test_a_room_that_was_not_heard_may_have_several_at_once():
    assert rooms_limit([0] * 30) == pytest.approx(UNHEARD * poisson_limit(0), rel=0.05)
    assert rooms_limit([]) == rooms_limit([0] * 30)


def test_the_same_counts_have_the_same_interval_in_any_order():
    assert rooms_interval([3, 0, 1, 3]) == rooms_interval([1, 3, 3, 0])


def count_bursts(rng, rooms, rate):
    """Rooms differ, and bursts of 2.5 on average: variance to mean 4 and more."""
    rates = rng.gamma(1.0, rate, rooms)
    return [int(rng.geometric(0.4, bursts).sum()) for bursts in rng.poisson(rates / 2.5)]


def test_the_limit_holds_for_bursts_where_that_of_garwood_does_not():
    rng = np.random.default_rng(1)
    heard = [count_bursts(rng, 40, 0.6) for _ in range(200)]
    assert np.mean([rooms_limit(counts) >= 40 * 0.6 for counts in heard]) >= 0.93
    assert np.mean([poisson_limit(sum(counts)) >= 40 * 0.6 for counts in heard]) < 0.9
