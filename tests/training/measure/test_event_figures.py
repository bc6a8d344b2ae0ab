import numpy as np
import pytest

from ast_edge.evaluation.curve import Curve
from ast_edge.evaluation.span import Span
from ast_training.measure.event_figures import Scene, event_figures

STEP = 0.04
STEPS = 1500


def scene(references, scores):
    """A minute in which labels sound and are scored: lists of (column, onset, offset[, score])."""
    onsets = np.arange(STEPS) * STEP
    curve = Curve(onsets, onsets + STEP, onsets + STEP, np.zeros((STEPS, 3), np.float32))
    for column, onset, offset, score in scores:
        curve.scores[(onsets >= onset) & (onsets < offset), column] = score
    spans = {}
    for column, onset, offset in references:
        spans.setdefault(column, []).append(Span(onset, offset))
    return Scene(curve, STEPS * STEP, spans)


TWO = [(0, 10.0, 12.0), (1, 30.0, 33.0)]


def test_scores_that_are_right_have_every_figure_at_its_best():
    found = event_figures([scene(TWO, [(0, 10, 12, 0.9), (1, 30, 33, 0.9)])])
    assert (found.micro_f1, found.macro_f1, found.false_alarms) == (1.0, 1.0, 0.0)
    assert found.psds1 == pytest.approx(1.0)


def test_scores_of_nothing_find_nothing():
    found = event_figures([scene(TWO, [])])
    assert (found.micro_f1, found.macro_f1, found.psds1) == (0.0, 0.0, 0.0)
    assert found.false_alarms is None


def test_one_threshold_is_shared_by_all_labels():
    """Each label has a false alarm that a threshold of its own would cut off; none common does."""
    scores = [(0, 10, 12, 0.9), (0, 20, 22, 0.75), (1, 30, 33, 0.3), (1, 40, 43, 0.15)]
    found = event_figures([scene(TWO, scores)])
    assert found.threshold in (0.3, 0.9)
    assert found.micro_f1 < 1


def test_the_mean_of_the_labels_takes_the_threshold_that_all_events_chose():
    three = [*TWO, (1, 40.0, 42.0), (2, 50.0, 52.0)]
    scores = [(0, 10, 12, 0.6), (1, 30, 33, 0.6), (1, 40, 42, 0.6)]
    found = event_figures([scene(three, scores)])
    assert found.micro_f1 == pytest.approx(2 * 3 / (2 * 3 + 1))
    assert found.macro_f1 == pytest.approx(2 / 3)


def test_false_alarms_are_those_with_which_half_of_the_events_are_found():
    scores = [(0, 10, 12, 0.95), (2, 50, 51, 0.95), (2, 55, 56, 0.5), (1, 30, 33, 0.5)]
    assert event_figures([scene(TWO, scores)]).false_alarms == pytest.approx(60)


def test_an_event_at_another_time_is_no_hit():
    found = event_figures([scene(TWO, [(0, 14, 16, 0.9), (1, 30, 33, 0.9)])])
    assert found.micro_f1 == pytest.approx(0.5)


def test_alarms_without_end_are_not_tried_to_the_lowest_threshold():
    blips = [(2, at, at + 0.5, 0.5) for at in range(0, 59, 2)]
    found = event_figures([scene([(0, 10.0, 12.0)], [*blips, (0, 10, 12, 0.05)])])
    assert (found.micro_f1, found.false_alarms) == (0.0, None)
