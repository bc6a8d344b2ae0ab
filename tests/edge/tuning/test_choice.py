import numpy as np
import pytest

from ast_edge.tuning.alarms import GRID, Alarms
from ast_edge.tuning.choice import FOLDS, choose, count_held_out, expected_rates


def alarms_of(peaks, hours=100.0, seed=0):
    """A label with events of these peaks, each on its own, at random times."""
    peaks = np.sort(np.asarray(peaks))[::-1]
    times = np.random.default_rng(seed).uniform(0, hours, len(peaks))
    return [Alarms(on, times[peaks >= on], peaks[peaks >= on]) for on in GRID]


def logistic(logits):
    return 1 / (1 + np.exp(-logits))


def draw_peaks(count, seed):
    """Peaks whose number falls by e with every 0.8 of the logit."""
    return logistic(np.random.default_rng(seed).exponential(0.8, count) - 2.9)


def test_many_events_are_counted():
    scanned = alarms_of([0.5] * 40)
    rates = expected_rates(scanned, 100.0)
    assert rates[-1] == pytest.approx(0.4)


def test_few_events_are_believed_to_thin_out_not_to_end():
    scanned = alarms_of(draw_peaks(200, seed=1))
    rates = expected_rates(scanned, 100.0)
    none = [rate for rate, one in zip(rates, scanned, strict=True) if not len(one.times)]
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
    choice = choose(alarms_of([0.305] * 50), 100.0, share=0.1)
    assert (choice.on, choice.kept) == (0.31, True) or choice.on > 0.31
    assert choose(alarms_of([0.305] * 50), 100.0, share=0.5).on == GRID[-1]


def test_a_threshold_where_events_merge_into_few_is_not_chosen():
    scanned = alarms_of([0.5] * 40)
    merged = [*scanned[:-1], Alarms(scanned[-1].on, np.array([0.0]), np.array([0.5]))]
    assert choose(merged, 100.0, share=0.2).on > 0.5


def test_a_share_that_nothing_keeps_is_said():
    choice = choose(alarms_of([0.9999] * 50), 100.0, share=0.1)
    assert (choice.on, choice.kept) == (GRID[0], False)
    assert choice.rate == pytest.approx(0.5)


def test_a_label_that_never_sounded_takes_the_lowest_threshold():
    choice = choose(alarms_of([]), 100.0, share=0.001)
    assert (choice.on, choice.kept, choice.rate) == (GRID[-1], True, 0.0)


def test_what_is_held_out_took_no_part_in_the_choice():
    burst = [Alarms(on, np.full(30, 5.0), np.full(30, 0.9)) for on in GRID if on <= 0.9]
    quiet = [Alarms(on, np.zeros(0), np.zeros(0)) for on in GRID if on > 0.9]
    scanned = [*quiet, *burst]
    # The fifth with the burst has thresholds by fifths in which there was nothing at all.
    assert choose(scanned, 100.0, share=0.01).on > 0.9
    assert count_held_out(scanned, 100.0, [0.01] * FOLDS) == 30


def test_what_was_tried_below_the_lowest_is_not_chosen():
    quiet = alarms_of([0.06] * 40)
    choice = choose(quiet, 100.0, share=0.1, lowest=0.2)
    assert (choice.on, choice.kept) == (0.2, True)


def test_what_was_tried_below_the_lowest_helps_to_estimate():
    """One event at 0.3 says little alone; with forty at 0.06 it is the rare one among many."""
    low = alarms_of([*[0.06] * 40, 0.3])
    alone = [one for one in low if one.on >= 0.2]
    rates = [choose(scanned, 100.0, share=1.0, lowest=0.9).rate for scanned in (low, alone)]
    assert rates[0] < rates[1] / 2
