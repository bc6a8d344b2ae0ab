import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ast_edge.detection.tracker import EventTracker
from ast_edge.evaluation.curve import Curve
from ast_edge.model.label import Label
from ast_edge.model.label_settings import TrackerSettings
from ast_edge.tuning.replay import Player

DOG = Label(1, "Dog", "")
DURATIONS = st.sampled_from([0.0, 0.5, 1.0, 1.7])
SCORES = st.lists(st.integers(0, 10), max_size=40)


def curve_of(scores, window, dtype):
    now = (np.arange(len(scores)) + 1) * 0.5
    columns = np.stack([np.zeros(len(scores)), np.array(scores) / 10], axis=1)
    return Curve(now - 0.5, now - window + 0.5, now, columns.astype(dtype))


def tracked(curve, settings):
    tracker = EventTracker("", {DOG: settings}, lambda: "")
    events = [event for at in range(len(curve.nows)) for event in tracker.feed(curve.step(at))]
    return [event for event in events + tracker.finish() if event.phase == "end"]


@given(
    st.lists(SCORES, max_size=3),
    st.integers(0, 10),
    st.integers(0, 10),
    *[DURATIONS] * 2,
    st.sampled_from([0.0, 0.0, 1.0]),
    st.sampled_from([0.5, 2.0]),
    st.sampled_from([np.float16, np.float32]),
)
def test_the_events_are_those_of_a_tracker_that_is_fed_everything(
    recordings, on, off, min_duration, hold, cooldown, window, dtype
):
    curves = [curve_of(scores, window, dtype) for scores in recordings]
    off, on = sorted((on / 10, off / 10))
    settings = TrackerSettings(on, off, min_duration, hold, cooldown)
    played = Player(curves, DOG, lowest=min(off, 0.1)).play(settings)
    expected = [(n, e) for n, curve in enumerate(curves) for e in tracked(curve, settings)]
    found = zip(played.recording, played.onsets, played.offsets, played.peaks, strict=True)
    assert list(found) == [(n, e.onset, e.offset, e.peak) for n, e in expected]


def test_one_player_answers_for_many_settings():
    curve = curve_of([0, 9, 0, 5, 5, 0, 0, 0, 0, 3, 0], 0.5, np.float32)
    player = Player([curve], DOG, lowest=0.1)
    counts = {
        (on, off, hold): len(player.play(TrackerSettings(on, off, hold=hold)))
        for on in (0.3, 0.5, 0.95)
        for off in (0.2, 0.3)
        for hold in (0.0, 0.5)
    }
    assert counts[0.3, 0.2, 0.0] == 3
    assert counts[0.3, 0.3, 0.5] == 2
    assert counts[0.95, 0.2, 0.0] == 0
