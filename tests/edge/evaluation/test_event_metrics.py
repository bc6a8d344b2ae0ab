import pytest

from ast_edge.evaluation.counts import Counts, macro_f1, micro
from ast_edge.evaluation.event_metrics import COLLARS, Collar, count_events
from ast_edge.evaluation.span import Span


@pytest.mark.parametrize(
    ("detected", "fits"),
    [
        (Span(10.2, 11.0), True),
        (Span(10.21, 11.0), False),
        (Span(9.8, 11.2), True),
        (Span(10.0, 11.21), False),
    ],
)
def test_the_collar_is_inclusive_on_both_sides(detected, fits):
    assert COLLARS["event_200ms"].fits(Span(10.0, 11.0), detected) is fits


def test_a_long_event_may_end_a_share_of_its_length_off():
    collar = Collar(0.5, 0.5)
    assert collar.fits(Span(0, 10), Span(0.4, 5.0))
    assert not collar.fits(Span(0, 10), Span(0.4, 4.9))


def test_without_a_share_the_offset_does_not_matter():
    assert Collar(0.2, None).fits(Span(0, 1), Span(0.1, 60))


def test_two_detections_of_one_event_are_one_hit_and_one_false():
    counts = count_events([Span(1, 2)], [Span(1, 2), Span(1.1, 2)], COLLARS["event_200ms"])
    assert counts == Counts(hits=1, false=1, missed=0)


def test_without_references_and_detections_there_is_no_figure():
    assert (Counts().f1, Counts().precision, Counts().recall) == (None, None, None)
    assert Counts(0, 3, 0).f1 == 0.0
    assert macro_f1([Counts(0, 3, 0)]) is None


def test_micro_weighs_events_and_macro_labels():
    counts = [Counts(9, 0, 0), Counts(0, 1, 1)]
    assert micro(counts).f1 == pytest.approx(0.9)
    assert macro_f1(counts) == pytest.approx(0.5)
