import numpy as np

from ast_edge.evaluation.counts import Counts
from ast_edge.evaluation.segment_metrics import (
    SegmentErrors,
    activity,
    count_errors,
    count_segments,
)
from ast_edge.evaluation.span import Span


def test_a_sound_is_in_every_segment_that_it_touches():
    roll = activity([[Span(0.9, 2.1)], [Span(3.0, 4.0)]], 4.5)
    assert roll.T.tolist() == [[True, True, True, False, False], [False, False, False, True, False]]


def test_what_lies_behind_the_end_is_left_out():
    assert activity([[Span(1.5, 9)]], 2.0).tolist() == [[False], [True]]


def test_segments_are_counted_for_each_label():
    references = np.array([[1, 0], [1, 0], [0, 1]], bool)
    detected = np.array([[1, 1], [0, 0], [0, 1]], bool)
    assert count_segments(references, detected) == [Counts(1, 0, 1), Counts(1, 1, 0)]


def test_a_wrong_label_in_the_place_of_another_is_one_error():
    references, detected = np.array([[1, 0]], bool), np.array([[0, 1]], bool)
    errors = count_errors(references, detected)
    assert errors == SegmentErrors(substitutions=1, references=1)
    assert errors.rate == 1.0


def test_without_references_there_is_no_error_rate():
    assert SegmentErrors(insertions=3).rate is None
