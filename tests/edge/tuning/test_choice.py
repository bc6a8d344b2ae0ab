import numpy as np
import pytest

from ast_edge.tuning.alarms import GRID, Alarms
from ast_edge.tuning.choice import Options, choose, expected_rates, safe_rates, without


def alarms_of(peaks, pieces=None):
    """A label with events of these peaks, each on its own, in these pieces."""
    peaks = np.asarray(peaks, np.float64)
    pieces = np.zeros(len(peaks), int) if pieces is None else np.asarray(pieces)
    return [Alarms(on, pieces[peaks >= on], peaks[peaks >= on]) for on in GRID]


def options_of(scanned, hours=100.0, worth=None):
    ons = np.array([one.on for one in scanned])
    return Options(ons, safe_rates(scanned, hours), worth)


def chosen_on(options, share):
    return float(options.ons[choose(options, share).option])


def logistic(logits):
    return 1 / (1 + np.exp(-logits))


def draw_peaks(count, seed):
    """Peaks whose number falls by e with every 0.8 of the logit."""
    return logistic(np.random.default_rng(seed).exponential(0.8, count) - 2.9)


def test_many_events_are_counted():
    rates = expected_rates(alarms_of([0.5] * 40), 100.0)
    assert rates[-1] == pytest.approx(0.4)


def test_few_events_are_believed_to_thin_out_not_to_end():
    scanned = alarms_of(draw_peaks(200, seed=1))
    rates = expected_rates(scanned, 100.0)
    none = [rate for rate, one in zip(rates, scanned, strict=True) if not len(one.peaks)]
    assert none
    assert all(rate > 0 for rate in none)
    assert np.all(np.diff(rates) >= -1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_the_expected_rate_is_near_the_true_one_far_beyond_what_was_seen(seed):
    scanned = alarms_of(draw_peaks(200, seed=seed))
    on = 0.98
    rate = expected_rates(scanned, 100.0)[GRID.index(on)]
    true = 2.0 * np.exp(-(np.log(on / (1 - on)) + 2.9) / 0.8)
    assert 0.2 < rate / true < 30


def test_the_lowest_threshold_that_keeps_the_share_is_chosen():
    options = options_of(alarms_of([0.305] * 50))
    assert chosen_on(options, 0.1) >= 0.31
    assert chosen_on(options, 0.5) == GRID[-1]


def test_a_threshold_where_events_merge_into_few_is_not_chosen():
    scanned = alarms_of([0.5] * 40)
    merged = [*scanned[:-1], Alarms(scanned[-1].on, np.zeros(1, int), np.array([0.5]))]
    assert chosen_on(options_of(merged), 0.2) > 0.5


def test_what_is_worth_most_for_the_share_is_chosen():
    worth = np.linspace(1, 0, len(GRID))
    assert chosen_on(options_of(alarms_of([0.305] * 50), worth=worth), 0.5) == GRID[0]


def test_of_what_is_worth_the_same_the_lowest_threshold_is_chosen():
    worth = np.full(len(GRID), 0.5)
    assert chosen_on(options_of(alarms_of([0.305] * 50), worth=worth), 0.5) == GRID[-1]


def test_a_share_that_nothing_keeps_is_said():
    options = options_of(alarms_of([0.9999] * 50))
    choice = choose(options, share=0.1)
    assert (options.ons[choice.option], choice.kept) == (GRID[0], False)
    assert choice.rate == pytest.approx(0.5)


def test_a_label_that_never_sounded_takes_the_lowest_threshold():
    options = options_of(alarms_of([]))
    choice = choose(options, share=0.001)
    assert (options.ons[choice.option], choice.kept, choice.rate) == (GRID[-1], True, 0.0)


def test_the_frontier_rises_in_cost_and_worth():
    options = Options(np.array([0.9, 0.5, 0.7]), np.array([0.0, 3.0, 1.0]), np.array([1.0, 2, 5]))
    rates, worth = options.frontier()
    assert (rates.tolist(), worth.tolist()) == ([0.0, 1.0, 3.0], [1.0, 5.0, 5.0])


def test_events_of_pieces_that_are_left_out_do_not_count():
    alarms = without(alarms_of([0.5, 0.9, 0.7], [0, 1, 2])[-1], np.array([False, True, False]))
    assert (alarms.pieces.tolist(), alarms.peaks.tolist()) == ([0, 2], [0.5, 0.7])
