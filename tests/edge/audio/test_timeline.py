import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ast_edge.audio.timeline import Anchor, Timeline

START = 1_800_000_000.0


@st.composite
def timelines(draw):
    """Draw anchors of which each begins where the one before ends."""
    anchors = [Anchor(0.0, START)]
    for _ in range(draw(st.integers(0, 5))):
        second = anchors[-1].second + draw(st.floats(0.1, 100.0))
        pace = 1 + draw(st.floats(-0.0025, 0.0025))
        anchors.append(Anchor(second, anchors[-1].time_at(second), pace))
    return Timeline(tuple(anchors))


@given(timelines(), st.lists(st.floats(-10.0, 600.0), min_size=2))
def test_a_later_moment_has_a_later_time(times, seconds):
    for before, after in itertools.pairwise(sorted(seconds)):
        assert times.time_at(before) <= times.time_at(after)
        if after - before > 1e-5:
            assert times.time_at(before) < times.time_at(after)


@given(timelines(), st.floats(-10.0, 600.0))
def test_the_moment_at_the_time_of_a_moment_is_that_moment(times, second):
    assert times.second_at(times.time_at(second)) == pytest.approx(second, abs=1e-5)


def test_each_anchor_is_good_until_the_next():
    times = Timeline((Anchor(0.0, START), Anchor(10.0, START + 10, 0.5), Anchor(20.0, START + 15)))
    found = [times.time_at(second) - START for second in (-1.0, 5.0, 10.0, 14.0, 20.0, 23.0)]
    assert found == [-1.0, 5.0, 10.0, 12.0, 15.0, 18.0]


@given(timelines(), st.floats(0.0, 500.0), st.floats(0.0, 100.0))
def test_what_is_forgotten_changes_no_later_time(times, begins, after):
    kept = times.from_second(begins)
    assert kept.time_at(begins + after) == times.time_at(begins + after)
    assert all(anchor.second > begins for anchor in kept.anchors[1:])


def test_an_anchor_that_is_told_again_takes_no_room():
    times = Timeline((Anchor(0.0, START),))
    assert times.then(Anchor(0.0, START)) is times


def test_a_stream_that_begins_later_has_the_same_times():
    anchor = Anchor(10.0, START, 1.001)
    assert anchor.since(4.0).time_at(20.0) == anchor.time_at(24.0)
