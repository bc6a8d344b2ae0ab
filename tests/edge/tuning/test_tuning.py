import numpy as np
import pytest

from ast_edge.evaluation.curve import Curve
from ast_edge.evaluation.span import Span
from ast_edge.events import Label
from ast_edge.tracker import TrackerSettings
from ast_edge.tuning.trial import Recording, try_thresholds
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


@pytest.fixture(scope="module")
def trials():
    """In noise the dog scores higher than the cat; both sound fifty times, from 0.4 to 0.9."""
    rng = np.random.default_rng(1)
    noise = recording(alternating(rng.beta(1, 30, 5000)), alternating(rng.beta(1, 4, 5000)))
    sounds = alternating(np.linspace(0.4, 0.9, 50))
    spans = [Span(at, at + STEP) for at in np.arange(50) * 2 * STEP]
    positive = recording(sounds, sounds, {CAT: spans, DOG: spans})
    found = try_thresholds([noise], [positive], NOW, off_share=None, most=500.0)
    return found, noise.seconds / 3600


def test_a_wish_that_is_shared_finds_more_than_in_equal_parts(trials):
    tried, hours = trials
    equal, shared = (
        sum(one.found_after for one in tune(tried, hours, 2.0, lowest=0.1, equal=equal).labels)
        for equal in (True, False)
    )
    assert shared > equal


def test_shares_add_up_to_no_more_than_the_wish(trials):
    tried, hours = trials
    tuning = tune(tried, hours, 2.0, lowest=0.1)
    assert sum(one.share for one in tuning.labels) <= 2.0
    assert sum(one.choice.rate for one in tuning.labels) <= 2.0


def test_without_references_every_label_has_the_same_share(trials):
    _, hours = trials
    noise = recording(alternating(np.full(500, 0.3)), alternating(np.full(500, 0.6)))
    tried = try_thresholds([noise], [], NOW, off_share=None, most=1.0)
    assert [one.share for one in tune(tried, hours, 2.0, lowest=0.1).labels] == [1.0, 1.0]


def test_no_threshold_falls_below_the_lowest(trials):
    tried, hours = trials
    tuning = tune(tried, hours, 1000.0, lowest=0.35)
    assert [one.after.on for one in tuning.labels] == [0.35, 0.35]


def test_false_alarms_are_also_counted_where_they_took_no_part_in_the_choice(trials):
    tried, hours = trials
    tuning = tune(tried, hours, 2.0, lowest=0.1)
    assert tuning.held_out == pytest.approx(2.0 * hours, rel=0.6)
