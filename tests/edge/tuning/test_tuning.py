import numpy as np
import pytest

from ast_edge.evaluation.curve import Curve
from ast_edge.evaluation.span import Span
from ast_edge.events import Label
from ast_edge.tracker import TrackerSettings
from ast_edge.tuning.alarms import GRID
from ast_edge.tuning.tuning import Recording, tune

LABELS = [Label(0, "Dog", ""), Label(1, "Cat", "")]
SETTINGS = dict.fromkeys(LABELS, TrackerSettings(0.5, 0.25, hold=1.0))
HOUR = 3600.0


def recording(peaks, references=None, seconds=HOUR):
    """Scores that are 0 but for a second of each (time, label, score)."""
    scores = np.zeros((int(seconds), len(LABELS)))
    for time, label, score in peaks:
        scores[int(time), label] = score
    steps = np.arange(len(scores), dtype=float)
    return Recording(Curve(steps, steps + 1, steps + 1, scores), seconds, references or {})


def peaks(label, scores):
    return [(60.0 + 20 * number, label, score) for number, score in enumerate(scores)]


def tuned(negatives, positives=(), wish=10.0, lowest=0.2):
    return tune(negatives, positives, SETTINGS, wish, lowest=lowest, off_share=0.5)


def test_without_references_every_label_keeps_the_same_share():
    noisy = recording(peaks(0, np.linspace(0.1, 0.9, 60)))
    dog, cat = tuned([noisy]).labels
    assert dog.share == cat.share == pytest.approx(5.0)
    assert dog.alarms_after <= 5
    assert (cat.after.on, cat.after.off) == (0.2, 0.1)


def test_the_label_that_finds_more_for_a_false_alarm_gets_more_of_them():
    both = peaks(0, np.linspace(0.1, 0.9, 60)), peaks(1, np.linspace(0.1, 0.9, 60))
    negatives = [recording([*both[0], *both[1]])]
    spans = [Span(100.0 * number, 100.0 * number + 1) for number in range(1, 11)]
    heard = recording(
        [(span.onset, 0, 0.7) for span in spans],  # of the cats nothing is heard
        {LABELS[0]: spans, LABELS[1]: spans},
    )
    alone = tuned(negatives, wish=20.0).labels[0]
    dog, cat = tuned(negatives, [heard], wish=20.0).labels
    assert (dog.found_after, dog.references) == (10, 10)
    assert alone.after.on > dog.after.on
    assert dog.share > 10 > cat.share


def test_what_is_held_out_took_no_part_in_the_choice():
    """The fifth with a burst has thresholds by fifths in which there was nothing at all."""
    burst = recording([(1000.0 + 10 * number, 0, 0.9) for number in range(30)])
    tuning = tuned([burst], wish=0.5)
    dog = tuning.labels[0]
    assert dog.alarms_after == 0
    assert dog.held_out == 30
    assert tuning.held_out == 30


def test_off_stays_its_share_of_on():
    noisy = recording(peaks(0, [0.95] * 40))
    dog = tuned([noisy], wish=1.0).labels[0]
    assert dog.after.on in GRID
    assert dog.after.off == pytest.approx(0.5 * dog.after.on, abs=0.001)
