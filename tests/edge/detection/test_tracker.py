from dataclasses import replace
from itertools import count

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ast_edge.detection.tracker import UPDATE_SECONDS, EventTracker, Step
from ast_edge.model.label import Label
from ast_edge.model.label_settings import TrackerSettings, override

DOG, CAT = Label(0, "Dog", "/m/0bt9lr"), Label(1, "Cat", "/m/01yrx")
PLAIN = TrackerSettings(on=0.5, off=0.3, hold=0.0)
HOP, WINDOW = 0.5, 2.0


def make_tracker(**settings):
    numbers = count(1)
    return EventTracker("mic", {DOG: replace(PLAIN, **settings)}, lambda: f"id{next(numbers)}")


def step(number, *scores, base=0.0, hop=HOP, window=WINDOW):
    """The step of window `number` from 1 on, which ends `number` hops after `base`."""
    now = base + number * hop
    probabilities = np.array([*scores, 0.0][:2], np.float32)
    return Step(now - hop, now - window + hop, now, probabilities)


def track(tracker, scores):
    events = []
    for number, score in enumerate(scores, 1):
        events += tracker.feed(step(number, score))
    return events + tracker.finish()


def summary(events):
    return [(e.phase, e.onset, e.offset) for e in events]


def spans(events):
    return [(e.onset, e.offset) for e in events if e.phase == "end"]


def test_an_event_starts_at_on_and_with_the_newest_hop():
    assert make_tracker().feed(step(1, 0.49)) == []
    (event,) = make_tracker().feed(step(7, 0.5))
    assert (event.phase, event.onset, event.offset) == ("start", 3.0, 3.5)
    assert (event.source, event.label) == ("mic", DOG)


def test_an_event_goes_on_between_off_and_on():
    tracker = make_tracker()
    tracker.feed(step(1, 0.5))
    assert tracker.feed(step(2, 0.31)) == []
    (end,) = tracker.feed(step(3, 0.29))
    assert end.phase == "end"


def test_an_event_ends_with_the_oldest_hop_of_its_last_window():
    scores = [0, 0, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0, 0]
    # Window 8 was the last to show it: a sound that began in 1.0 to 1.5 and ended in 2.0 to 2.5.
    assert spans(track(make_tracker(), scores)) == [(1.0, 2.5)]


def test_a_sound_in_a_single_window_lasts_a_hop():
    assert spans(track(make_tracker(), [0, 0.9, 0, 0, 0])) == [(0.5, 1.0)]


def test_a_pause_up_to_hold_does_not_end_an_event():
    assert len(spans(track(make_tracker(hold=1.0), [0.9, 0, 0, 0.9, 0, 0, 0, 0]))) == 1
    assert len(spans(track(make_tracker(hold=1.0), [0.9, 0, 0, 0, 0.9, 0, 0, 0]))) == 2


def test_a_score_between_off_and_on_starts_the_hold_anew():
    scores = [0.9, 0, 0, 0.31, 0, 0, 0.31, 0, 0]
    assert len(spans(track(make_tracker(hold=1.0), scores))) == 1


def test_a_shorter_event_than_the_minimum_is_not_reported():
    assert track(make_tracker(min_duration=1.0), [0.9, 0, 0, 0, 0]) == []


def test_a_longer_event_is_reported_late_with_its_true_onset():
    tracker = make_tracker(min_duration=1.0)
    found = {n: summary(tracker.feed(step(n, 0.9))) for n in range(1, 7)}
    assert {n: events for n, events in found.items() if events} == {5: [("start", 0.0, 1.0)]}


def test_an_unreported_event_causes_no_cooldown():
    scores = [0.9, 0, *[0.9] * 6, 0]
    assert len(spans(track(make_tracker(min_duration=1.0, cooldown=60.0), scores))) == 1


def test_no_event_starts_during_the_cooldown():
    scores = [0.9, 0, 0, 0.9, 0, 0.9, 0, 0]  # ends at 0.5; would start again at 1.5 and 2.5
    assert spans(track(make_tracker(cooldown=1.5), scores)) == [(0.0, 0.5), (2.5, 3.0)]
    assert spans(track(make_tracker(cooldown=1.0), scores)) == [(0.0, 0.5), (1.5, 2.0)]


def test_a_sound_that_outlasts_the_cooldown_is_reported_then():
    scores = [0.9, 0, *[0.9] * 12]
    first, second = spans(track(make_tracker(cooldown=3.0), scores))
    assert first == (0.0, 0.5)
    assert second[0] == 3.5


def begin_again(tracker, at, scores):
    """Feed the scores of another stream, which begins at a time of its own."""
    tracker.finish()
    tracker.begin(at)
    steps = [step(number, score, base=at) for number, score in enumerate(scores, 1)]
    return [event for each in steps for event in tracker.feed(each)] + tracker.finish()


@pytest.mark.parametrize("cooldown", [0.0, 1.0])
def test_a_clock_that_is_set_back_makes_nothing_deaf(cooldown):
    tracker = make_tracker(cooldown=cooldown)
    day = 86400.0
    assert len(begin_again(tracker, day, [0.9, 0])) == 2
    found = spans(begin_again(tracker, 100.0, [0, 0, 0, 0, 0.9, 0]))
    assert found == [(102.0, 102.5)]


def test_a_cooldown_goes_on_when_the_clock_is_set_back():
    tracker = make_tracker(cooldown=2.0)
    begin_again(tracker, 86400.0, [0.9, 0])
    first, *_ = begin_again(tracker, 100.0, [0.9] * 8)
    assert first.onset == 102.0


def test_a_cooldown_lasts_no_longer_when_time_has_come_to_where_it_was_set_back():
    tracker = make_tracker(cooldown=10.0)
    begin_again(tracker, 200.0, [0.9, 0])  # until 200.5
    begin_again(tracker, 100.0, [0, 0])
    assert spans(begin_again(tracker, 201.0, [0.9, 0])) == [(201.0, 201.5)]


def test_a_score_that_is_no_number_starts_nothing_and_is_nowhere_in_an_event():
    assert track(make_tracker(), [np.nan] * 5) == []
    events = track(make_tracker(hold=1.0), [0.9, np.nan, 0.9, 0, 0, 0, 0, 0])
    assert len(spans(events)) == 1
    assert not any(np.isnan([event.score, event.peak]).any() for event in events)


def test_a_running_event_is_updated_every_few_seconds():
    tracker = make_tracker()
    updates = [e for n in range(1, 31) for e in tracker.feed(step(n, 0.9)) if e.phase == "update"]
    assert [round(u.duration / UPDATE_SECONDS, 1) for u in updates] == [1.1, 2.1]


def test_an_event_knows_its_newest_score_and_its_highest():
    tracker = make_tracker()
    (start,) = tracker.feed(step(1, 0.5))
    tracker.feed(step(2, 0.75))
    (end,) = tracker.feed(step(3, 0.125))
    assert (start.score, start.peak) == (0.5, 0.5)
    assert (end.score, end.peak) == (0.125, 0.75)


def test_an_event_keeps_its_id_and_the_next_has_another():
    events = track(make_tracker(), [*[0.9] * 30, 0, 0, 0.9, 0])
    assert [e.phase for e in events] == ["start", "update", "update", "end", "start", "end"]
    assert [e.id for e in events] == ["id1"] * 4 + ["id2"] * 2


def test_finish_ends_what_runs_and_only_once():
    tracker = make_tracker()
    tracker.feed(step(1, 0.9))
    assert summary(tracker.finish()) == [("end", 0.0, 0.5)]
    assert tracker.finish() == []


def test_finish_says_nothing_about_what_was_not_reported():
    tracker = make_tracker(min_duration=10.0)
    tracker.feed(step(1, 0.9))
    assert tracker.finish() == []


def test_after_a_reset_neither_event_nor_cooldown_is_left():
    tracker = make_tracker(cooldown=100.0)
    track(tracker, [0.9, 0])
    tracker.feed(step(3, 0.9))
    tracker.reset()
    assert tracker.finish() == []
    assert [e.phase for e in tracker.feed(step(4, 0.9))] == ["start"]


def test_labels_have_events_of_their_own():
    tracker = EventTracker("mic", {DOG: PLAIN, CAT: replace(PLAIN, on=0.8)}, lambda: "x")
    assert [e.label for e in tracker.feed(step(1, 0.9, 0.9))] == [DOG, CAT]
    assert [e.label for e in tracker.feed(step(2, 0.0, 0.9))] == [DOG]
    assert [e.label for e in tracker.feed(step(3, 0.6, 0.0))] == [DOG, CAT]
    assert [e.label for e in tracker.feed(step(4, 0.6, 0.7))] == []


def test_a_label_without_settings_is_not_followed():
    tracker = EventTracker("mic", {CAT: PLAIN}, lambda: "x")
    assert tracker.feed(step(1, 0.9, 0.0)) == []


def test_no_event_of_a_barred_label_begins_and_one_that_runs_goes_on():
    tracker = make_tracker()
    assert tracker.feed(step(1, 0.9), barred={DOG}) == []
    assert [e.phase for e in tracker.feed(step(2, 0.9), barred={CAT})] == ["start"]
    assert tracker.feed(step(3, 0.9), barred={DOG}) == []
    assert summary(tracker.feed(step(4, 0.0), barred={DOG})) == [("end", 0.5, 1.0)]


def test_a_sound_that_outlasts_the_bar_begins_after_it():
    tracker = make_tracker()
    for number in (1, 2, 3):
        tracker.feed(step(number, 0.9), barred={DOG})
    assert summary(tracker.feed(step(4, 0.9))) == [("start", 1.5, 2.0)]


def test_disabling_a_label_ends_its_running_event_and_no_other():
    tracker = EventTracker("mic", {DOG: PLAIN, CAT: PLAIN}, lambda: "x")
    tracker.feed(step(1, 0.9, 0.9))
    (end,) = tracker.set_enabled([CAT])
    assert (end.phase, end.label) == ("end", DOG)
    assert tracker.feed(step(2, 0.9, 0.9)) == []
    assert [e.label for e in tracker.finish()] == [CAT]


def test_disabling_a_label_says_nothing_of_an_event_that_was_not_reported():
    tracker = make_tracker(min_duration=10.0)
    tracker.feed(step(1, 0.9))
    assert tracker.set_enabled([]) == []
    assert tracker.finish() == []


def test_a_label_that_is_enabled_again_has_events_again_from_then():
    tracker = make_tracker()
    tracker.feed(step(1, 0.4))
    assert tracker.set_enabled([]) == []
    assert tracker.feed(step(2, 0.9)) == []
    assert tracker.set_enabled([DOG]) == []
    assert summary(tracker.feed(step(3, 0.9))) == [("start", 1.0, 1.5)]


def test_changed_settings_hold_from_the_next_step():
    tracker = make_tracker()
    assert tracker.feed(step(1, 0.45)) == []
    tracker.set_settings(DOG, replace(PLAIN, on=0.4))
    (start,) = tracker.feed(step(2, 0.45))
    tracker.set_settings(DOG, replace(PLAIN, on=0.8, off=0.6))
    (end,) = tracker.feed(step(3, 0.45))
    assert (start.phase, end.phase, start.id) == ("start", "end", end.id)


def test_settings_of_a_label_that_is_not_followed_are_refused():
    with pytest.raises(KeyError):
        make_tracker().set_settings(CAT, PLAIN)


SCORES = st.lists(st.sampled_from([0.0, 0.2, 0.35, 0.5, 0.9]), max_size=60)
SETTINGS = st.fixed_dictionaries(
    {
        "min_duration": st.sampled_from([0.0, 0.5, 1.0, 3.0]),
        "hold": st.sampled_from([0.0, 0.5, 1.0, 2.0]),
        "cooldown": st.sampled_from([0.0, 0.5, 1.0, 5.0]),
    }
)


@given(SCORES, SETTINGS)
def test_events_of_a_label_have_a_proper_life_and_never_overlap(scores, settings):
    events = track(make_tracker(**settings), scores)
    lives: dict[str, list] = {}
    for event in events:
        lives.setdefault(event.id, []).append(event)
    last_offset = 0.0
    for life in lives.values():
        phases = [event.phase for event in life]
        assert phases == ["start", *["update"] * (len(phases) - 2), "end"]
        assert len({event.onset for event in life}) == 1
        assert sorted(event.offset for event in life) == [event.offset for event in life]
        assert last_offset <= life[-1].onset < life[-1].offset
        assert life[-1].duration >= settings["min_duration"]
        last_offset = life[-1].offset
    # A life is over before the next begins.
    assert [e.id for e in events] == [e.id for life in lives.values() for e in life]


@given(SCORES, SETTINGS, st.integers(1_600_000_000, 2_000_000_000))
def test_the_same_sound_gives_the_same_events_at_any_time_of_day(scores, settings, base):
    # Unix times are exact to 0.2 µs: a pause of exactly `hold` must not be longer than it.
    def lives(base):
        tracker = make_tracker(**settings)
        for number, score in enumerate(scores, 1):
            events = tracker.feed(step(number, score, base=base, hop=0.1, window=0.4))
            yield number, [(e.phase, e.id, round(e.duration, 3)) for e in events]

    assert list(lives(base)) == list(lives(0))


@pytest.mark.parametrize(
    "changes",
    [
        {"on": 0.2},  # below off
        {"on": 1.1},
        {"off": -0.1},
        {"on": float("nan")},
        {"off": float("nan")},
    ],
)
def test_thresholds_that_cannot_be_are_refused(changes):
    with pytest.raises(ValueError, match="expected 0 <= off <= on <= 1"):
        replace(PLAIN, **changes)


@pytest.mark.parametrize("value", [-0.1, float("nan")])
@pytest.mark.parametrize("key", ["min_duration", "hold", "cooldown"])
def test_durations_that_cannot_be_are_refused(key, value):
    with pytest.raises(ValueError, match="durations must not be negative"):
        replace(PLAIN, **{key: value})


def test_an_override_replaces_only_what_is_given():
    changed = override(PLAIN, hold=2.0, cooldown=None)
    assert changed == replace(PLAIN, hold=2.0)


def test_off_follows_an_on_that_falls_below_it():
    assert override(PLAIN, on=0.2) == replace(PLAIN, on=0.2, off=0.2)


def test_off_above_on_is_refused_when_both_are_given():
    with pytest.raises(ValueError, match=r"got on 0\.2 and off 0\.25"):
        override(PLAIN, on=0.2, off=0.25)


def test_an_event_begins_where_its_score_rose_above_off():
    (span,) = spans(track(make_tracker(on=0.8, off=0.2), [0.1, 0.3, 0.5, 0.9, 0.1]))
    assert span[0] == 0.5


def test_a_score_that_fell_back_below_off_is_no_part_of_a_later_event():
    (span,) = spans(track(make_tracker(on=0.8, off=0.2), [0.5, 0.1, 0.5, 0.9, 0.1]))
    assert span[0] == 1.0


def two(*labels):
    numbers = count(1)
    return EventTracker("mic", dict.fromkeys(labels, PLAIN), lambda: f"id{next(numbers)}")


def test_labels_that_stay_keep_their_events_when_others_are_followed():
    tracker = two(DOG, CAT)
    (dog, _) = tracker.feed(step(1, 0.9, 0.9))
    (gone,) = tracker.follow({DOG: replace(PLAIN, off=0.1)})
    assert (gone.phase, gone.label) == ("end", CAT)
    assert tracker.feed(step(2, 0.2, 0.9)) == []
    (end,) = tracker.feed(step(3, 0.0, 0.9))
    assert (end.phase, end.id) == ("end", dog.id)


def test_a_label_that_moves_to_another_column_keeps_its_event():
    tracker = two(DOG)
    (start,) = tracker.feed(step(1, 0.9))
    moved = replace(DOG, index=1)
    assert tracker.follow({moved: PLAIN}) == []
    assert tracker.reported == [moved]
    assert tracker.feed(step(2, 0.0, 0.9)) == []
    (end,) = tracker.feed(step(3, 0.9, 0.0))
    assert (end.phase, end.id, end.label) == ("end", start.id, moved)


def test_a_cooldown_goes_on_when_others_are_followed():
    tracker = make_tracker(cooldown=60.0)
    track(tracker, [0.9, 0.0])
    tracker.follow({DOG: replace(PLAIN, cooldown=60.0), CAT: PLAIN})
    (event,) = tracker.feed(step(4, 0.9, 0.9))
    assert event.label == CAT


def test_all_are_enabled_that_are_followed_anew():
    tracker = two(DOG, CAT)
    tracker.set_enabled([CAT])
    tracker.follow({DOG: PLAIN})
    assert len(tracker.feed(step(1, 0.9))) == 1
