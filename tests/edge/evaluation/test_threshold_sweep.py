import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ast_edge.evaluation.curve import Curve
from ast_edge.evaluation.psds import SCENARIOS
from ast_edge.evaluation.span import Span, join_touching
from ast_edge.evaluation.threshold_sweep import Changes, join, sweep
from ast_edge.evaluation.truth.unsure import is_undecided

SCORES = st.lists(st.integers(0, 9), min_size=1, max_size=24)
SPANS = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 12)), max_size=4)


def curve_of(scores, hop=0.5, window=0.5):
    """Scores of windows that slide by a hop; with a window of one hop, those of moments."""
    now = (np.arange(len(scores)) + 1) * hop
    return Curve(now - hop, now - window + hop, now, np.array(scores)[:, np.newaxis] / 10)


def runs_at(curve, threshold):
    """Where a tracker with this threshold and without hold would have events."""
    found, first = [], None
    for step, score in enumerate([*curve.scores[:, 0], -1]):
        if score >= threshold and first is None:
            first = step
        elif score < threshold and first is not None:
            end = max(curve.nows[first], curve.offsets[step - 1])
            found.append(Span(curve.onsets[first], end))
            first = None
    return found


def count_at(curve, threshold, references, others, criteria, unsure=()):
    """Hits, false detections and cross triggers by the definitions."""
    right, false, crossed = [], 0, [0] * len(others)
    for run in runs_at(curve, threshold):
        shared = sum(max(0, run.overlap(one)) for one in references)
        if shared >= criteria.dtc * run.duration - 1e-7:
            right.append(run)
            continue
        if is_undecided(references, unsure, run):
            continue
        false += 1
        for number, spans in enumerate(others):
            if criteria.cttc is not None:
                shared = sum(max(0, run.overlap(one)) for one in spans)
                crossed[number] += shared >= criteria.cttc * run.duration - 1e-7
    hits = sum(
        sum(max(0, run.overlap(one)) for run in right) >= criteria.gtc * one.duration - 1e-7
        for one in references
    )
    return [hits, false, *crossed]


def spans(times):
    return join_touching(Span(start / 4, (start + length) / 4) for start, length in times)


@given(SCORES, SPANS, SPANS, SPANS, st.sampled_from(sorted(SCENARIOS)), st.sampled_from([0.5, 2.0]))
def test_every_threshold_counts_what_its_own_detections_do(scores, own, other, open_, name, window):
    curve, criteria = curve_of(scores, window=window), SCENARIOS[name].criteria
    heard = spans(own), [spans(other)], criteria, spans(open_)
    changes = sweep(curve, 0, *heard)
    for threshold in np.unique(curve.scores):
        found = changes.counts[changes.thresholds >= threshold].sum(axis=0)
        assert found.tolist() == count_at(curve, threshold, *heard)


def test_each_threshold_stands_once_from_the_highest_on():
    counts = np.array([[1, 0], [0, 1], [0, 1]])
    one = Changes(np.array([0.5, 0.9, 0.5]), counts)
    hits, false, crossed = join([one, one]).by_threshold()
    assert (hits.tolist(), false.tolist()) == ([0, 0, 2], [0, 2, 4])
    assert crossed.shape == (3, 0)


def test_a_recording_without_steps_changes_nothing():
    empty = Curve(np.zeros(0), np.zeros(0), np.zeros(0), np.zeros((0, 1)))
    for references in ([], [Span(0, 1)]):
        changes = sweep(empty, 0, references, [[]], SCENARIOS["psds1"].criteria)
        assert changes.counts.shape == (0, 3)
        assert [part.shape[0] for part in changes.by_threshold()] == [1, 1, 1]


def test_touching_spans_are_joined():
    assert join_touching([Span(3, 4), Span(0, 1), Span(1, 2)]) == [Span(0, 2), Span(3, 4)]
    assert Span(0, 1).overlap(Span(3, 4)) == pytest.approx(-2)
