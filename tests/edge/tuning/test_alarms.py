import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ast_edge.detection.tracker import EventTracker
from ast_edge.evaluation.curve import Curve
from ast_edge.model.label import Label
from ast_edge.model.label_settings import TrackerSettings
from ast_edge.tuning.alarms import GRID, find_events

CAT, DOG = Label(0, "Cat", ""), Label(1, "Dog", "")
DURATIONS = st.sampled_from([0.0, 0.5, 1.0, 1.7])


def curve_of(scores, window=0.5, dtype=np.float32):
    now = (np.arange(len(scores)) + 1) * 0.5
    columns = np.stack([np.zeros(len(scores)), np.array(scores) / 10], axis=1)
    return Curve(now - 0.5, now - window + 0.5, now, columns.astype(dtype))


@given(
    st.lists(st.integers(0, 10), min_size=1, max_size=60),
    st.integers(0, 10),
    st.integers(0, 10),
    *[DURATIONS] * 3,
    st.sampled_from([0.5, 2.0]),
    st.sampled_from([np.float16, np.float32]),
)
def test_the_events_are_those_of_a_tracker_that_is_fed_everything(
    scores, on, off, min_duration, hold, cooldown, window, dtype
):
    curve = curve_of(scores, window, dtype)
    off, on = sorted((on / 10, off / 10))
    settings = TrackerSettings(on, off, min_duration, hold, cooldown)
    tracker = EventTracker("", {DOG: settings}, lambda: "")
    expected = [e for number in range(len(scores)) for e in tracker.feed(curve.step(number))]
    expected += tracker.finish()
    assert find_events(curve, DOG, settings) == [e for e in expected if e.phase == "end"]


def test_a_recording_without_steps_has_no_events():
    empty = Curve(np.zeros(0), np.zeros(0), np.zeros(0), np.zeros((0, 2)))
    assert find_events(empty, DOG, TrackerSettings()) == []


def test_the_grid_falls_in_values_that_people_can_read():
    assert list(GRID) == sorted(set(GRID), reverse=True)
    assert (GRID[0], GRID[-1]) == (0.999, 0.05)
    assert all(len(f"{on:g}") <= 5 for on in GRID)
