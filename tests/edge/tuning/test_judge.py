import math

import numpy as np
import pytest

from ast_edge.evaluation.span import Span
from ast_edge.tuning.judge import Judge
from ast_edge.tuning.replay import Events


def events(*spans, recording=0):
    onsets, offsets = np.array(spans, np.float64).reshape(-1, 2).T
    return Events(np.full(len(onsets), recording), onsets, offsets, np.ones(len(onsets)))


def test_an_event_with_its_times_is_worth_more_than_one_that_only_overlaps():
    judge = Judge([[Span(1, 3)], [Span(1, 3)]])
    right, late = judge.judge(events((1.2, 3.5))), judge.judge(events((1.2, 9.0)))
    assert (right.found, late.found) == (1, 1)
    assert right.worth == pytest.approx(2 / 3, abs=0.001)
    assert 0 < late.worth < 0.001


def test_a_false_event_takes_from_the_worth():
    judge = Judge([[Span(1, 3)]])
    assert judge.judge(events((1, 3), (20, 21))).worth == pytest.approx(2 / 3, abs=0.001)


def test_an_event_that_may_be_right_takes_nothing():
    alone, doubtful = Judge([[Span(1, 3)]]), Judge([[Span(1, 3)]], [[Span(0, 30)]])
    assert doubtful.judge(events((1, 3), (20, 21))) == alone.judge(events((1, 3)))


def test_an_event_in_another_recording_finds_nothing():
    assert Judge([[Span(1, 3)], []]).judge(events((1, 3), recording=1)).found == 0


def test_of_a_sound_that_may_be_anywhere_only_the_finding_counts():
    judge = Judge([[Span(0, math.inf)], [Span(0, math.inf)]])
    assert not judge.knows_times
    assert judge.judge(events((5, 6), (8, 9))).worth == 0.5


def test_without_references_nothing_is_worth_anything():
    judge = Judge([[], []])
    assert (judge.references, judge.judge(events((5, 6))).worth) == (0, 0.0)
