import math

import numpy as np
import pytest

from ast_edge.evaluation.false_alarms import is_near
from ast_edge.evaluation.span import Span
from ast_edge.evaluation.truth.unsure import is_undecided
from ast_edge.tuning.replay import Events
from ast_edge.tuning.stretches import Stretches, decided


def draw_spans(rng, count):
    onsets = rng.uniform(0, 60, count).round(1)
    return [Span(at, at + 0.1 + rng.uniform(0, 9)) for at in onsets]


@pytest.fixture
def drawn():
    """Events of three recordings, where their sound is and where it may be."""
    rng = np.random.default_rng(4)
    detected, references, unsure = ([draw_spans(rng, 6) for _ in range(3)] for _ in range(3))
    flat = [(number, span) for number, spans in enumerate(detected) for span in spans]
    events = Events(
        np.array([number for number, _ in flat]),
        np.array([span.onset for _, span in flat]),
        np.array([span.offset for _, span in flat]),
        np.ones(len(flat)),
    )
    return events, flat, references, unsure


def test_touching_is_what_counts_as_near(drawn):
    events, flat, references, _ = drawn
    touched = Stretches.of(references).touched(events)
    stretches = [(number, span) for number, spans in enumerate(references) for span in spans]
    expected = [[a == b and is_near(there, one) for b, there in stretches] for a, one in flat]
    assert touched.tolist() == expected


def test_what_is_left_out_is_what_an_evaluation_leaves_out(drawn):
    events, flat, references, unsure = drawn
    left = decided(events, Stretches.of(unsure), Stretches.of(references))
    expected = [
        (number, span.onset)
        for number, span in flat
        if not is_undecided(references[number], unsure[number], span)
    ]
    assert list(zip(left.recording.tolist(), left.onsets.tolist(), strict=True)) == expected
    assert 0 < len(left) < len(events)


def test_without_references_all_that_touches_is_left_out(drawn):
    events, flat, _, unsure = drawn
    left = decided(events, Stretches.of(unsure))
    assert len(left) == sum(not is_undecided([], unsure[number], span) for number, span in flat)


def test_a_stretch_may_have_no_end(drawn):
    events, *_ = drawn
    everything = Stretches.of([[Span(0, math.inf)]] * 3)
    assert not len(decided(events, everything))


def test_without_stretches_all_are_left(drawn):
    events, *_ = drawn
    assert decided(events, Stretches.of([[], [], []])) is events
