from dataclasses import replace

import numpy as np
import pytest

from ast_edge.evaluation.curve import Curve
from ast_edge.evaluation.span import Span
from ast_edge.model.label import Label
from ast_edge.model.label_settings import TrackerSettings
from ast_edge.tuning.alarms import GRID, Alarms
from ast_edge.tuning.pieces import cut
from ast_edge.tuning.trial import Recording, Trial, try_settings
from ast_edge.tuning.tuning import tune

CAT, DOG = Label(0, "Cat", ""), Label(1, "Dog", "")
NOW = {label: TrackerSettings(0.5, 0.5, hold=0.0) for label in (CAT, DOG)}
STEP = 10.0


def recording(cat, dog, references=None):
    """Scores of both labels, one every ten seconds."""
    onsets = np.arange(len(cat)) * STEP
    scores = np.stack([cat, dog], axis=1)
    curve = Curve(onsets, onsets + STEP, onsets + STEP, scores)
    return Recording(curve, len(cat) * STEP, references or {})


def alternating(peaks):
    """Scores that fall to nothing after each, so that each is an event."""
    return np.stack([peaks, np.zeros_like(peaks)], axis=1).ravel()


def pieces_of(noise):
    return cut([one.seconds for one in noise], [f"room {number}" for number in range(len(noise))])


@pytest.fixture(scope="module")
def tried():
    """In noise the dog scores higher than the cat; both sound fifty times, from 0.4 to 0.9."""
    rng = np.random.default_rng(1)
    noise = [
        recording(alternating(rng.beta(1, 30, 250)), alternating(rng.beta(1, 4, 250)))
        for _ in range(20)
    ]
    sounds = alternating(np.linspace(0.4, 0.9, 50))
    spans = [Span(at, at + STEP) for at in np.arange(50) * 2 * STEP]
    positive = recording(sounds, sounds, {CAT: spans, DOG: spans})
    pieces = pieces_of(noise)
    return try_settings(noise, [positive], NOW, pieces, off_share=None, most=500.0), pieces


def test_a_wish_that_is_shared_finds_more_than_in_equal_parts(tried):
    equal, shared = (
        sum(one.found_after for one in tune(*tried, 2.0, lowest=0.1, equal=equal).labels)
        for equal in (True, False)
    )
    assert shared > equal


def test_shares_add_up_to_no_more_than_the_wish(tried):
    tuning = tune(*tried, 2.0, lowest=0.1, sure=False)
    assert sum(one.share for one in tuning.labels) <= 2.0
    assert sum(one.choice.rate for one in tuning.labels) <= 2.0


def test_without_references_every_label_has_the_same_share_and_keeps_its_shape(tried):
    _, pieces = tried
    noise = [recording(alternating(np.full(25, 0.3)), alternating(np.full(25, 0.6)))] * 20
    trials = try_settings(noise, [], NOW, pieces, off_share=None, most=1.0)
    tuning = tune(trials, pieces, 2.0, lowest=0.1, sure=False)
    assert [one.share for one in tuning.labels] == [1.0, 1.0]
    assert {one.after.hold for one in tuning.labels} == {0.0}


def test_no_threshold_falls_below_the_lowest(tried):
    tuning = tune(*tried, 1000.0, lowest=0.35)
    assert [one.after.on for one in tuning.labels] == [0.35, 0.35]


def test_false_alarms_are_also_counted_where_they_took_no_part_in_the_choice(tried):
    tuning = tune(*tried, 2.0, lowest=0.1, sure=False)
    assert tuning.held_out.sum() == pytest.approx(2.0 * tuning.hours, rel=0.6)
    assert len(tuning.held_out) == 20


def test_a_wish_that_can_be_promised_is_not_spent_to_its_end(tried):
    sure, expected = (tune(*tried, 20.0, lowest=0.1, sure=sure) for sure in (True, False))
    assert sure.is_kept
    assert not expected.is_kept
    assert sum(one.alarms_after for one in sure.labels) < sum(
        one.alarms_after for one in expected.labels
    )


def test_a_wish_that_cannot_be_promised_is_what_is_expected(tried):
    sure, expected = (tune(*tried, 0.1, lowest=0.1, sure=sure) for sure in (True, False))
    assert not sure.is_kept
    assert [one.after for one in sure.labels] == [one.after for one in expected.labels]


def test_hold_is_chosen_where_it_is_shown_what_it_is_good_for():
    """A sound with a pause in the middle, by steps of 0.5 s: without a hold it is two events."""
    steps = np.arange(60) * 0.5
    scores = np.where((steps % 10 >= 2) & (steps % 10 < 5) & (steps % 10 != 3.5), 0.8, 0.0)
    curve = Curve(steps, steps + 0.5, steps + 0.5, np.stack([scores, scores], axis=1))
    spans = [Span(at, at + 3) for at in (2, 12, 22)]
    positive = Recording(curve, 30.0, {CAT: spans})
    noise = [recording(np.zeros(20), np.zeros(20))] * 20
    pieces = pieces_of(noise)
    trials = try_settings(noise, [positive], NOW, pieces, off_share=None, most=1.0)
    cat, dog = tune(trials, pieces, 1.0, lowest=0.2).labels
    assert cat.after.hold >= 1.0
    assert dog.after.hold == 0.0


def test_what_may_be_right_in_the_noise_is_no_false_alarm():
    loud = recording(alternating(np.full(5, 0.9)), alternating(np.full(5, 0.9)))
    noise = [replace(loud, unsure={CAT: [Span(0, loud.seconds)]})] * 20
    pieces = pieces_of(noise)
    cat, dog = try_settings(noise, [], NOW, pieces, off_share=None, most=1.0)
    assert (cat.alarms_before, dog.alarms_before) == (0, 100)
    assert not any(len(one.peaks) for one in cat.scanned)


def draw_rooms(rng, rooms):
    """Rooms that differ by themselves, and alarms in bursts: a room's next is as high, or so."""
    rates = rng.gamma(1.5, 3.0 / 1.5, rooms) * 0.25
    bursts = np.repeat(np.arange(rooms), rng.poisson(rates))
    sizes = rng.geometric(0.4, len(bursts))
    levels = np.repeat(rng.exponential(0.8, len(bursts)) - 2.5, sizes)
    peaks = 1 / (1 + np.exp(-levels - rng.normal(0, 0.3, len(levels))))
    return np.repeat(bursts, sizes), peaks


def trial_of(label, pieces, peaks):
    count = len(GRID)
    return Trial(
        label=label,
        before=NOW[CAT],
        tried=tuple(replace(NOW[CAT], on=on, off=on) for on in GRID),
        family=np.zeros(count, int),
        scanned=tuple(Alarms(on, pieces[peaks >= on], peaks[peaks >= on]) for on in GRID),
        found=np.zeros(count, int),
        worth=np.zeros(count),
        references=0,
        alarms_before=0,
        found_before=0,
    )


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_wish_that_is_promised_is_kept_in_rooms_that_were_not_heard():
    rng, rooms, others, wish = np.random.default_rng(2), 80, 2000, 2.0
    pieces = cut([900.0] * rooms, list(map(str, range(rooms))))
    sure, expected = list[bool](), list[bool]()
    for _ in range(100):
        trials = [trial_of(Label(n, str(n), ""), *draw_rooms(rng, rooms)) for n in range(3)]
        elsewhere = [draw_rooms(rng, others)[1] for _ in trials]
        for kept, promise in ((sure, True), (expected, False)):
            tuning = tune(trials, pieces, wish, lowest=0.05, sure=promise)
            ons = [one.after.on for one in tuning.labels]
            alarms = sum((peaks >= on).sum() for peaks, on in zip(elsewhere, ons, strict=True))
            if tuning.is_kept or not promise:
                kept.append(alarms <= wish * others * 0.25)
    assert len(sure) >= 90
    assert np.mean(sure) >= 0.93
    assert np.mean(expected) < 0.8
