from datetime import datetime, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ast_edge.detection.rules import Rule, Rules
from ast_edge.detection.schedule import Schedule, parse_period
from ast_edge.detection.tracker import EventTracker, Step
from ast_edge.model.label import Label
from ast_edge.model.label_settings import TrackerSettings

DOG, MUSIC, SPEECH = Label(0, "Dog", ""), Label(1, "Music", ""), Label(2, "Speech", "")
SETTINGS = dict.fromkeys((DOG, MUSIC, SPEECH), TrackerSettings(on=0.5, off=0.3, hold=1.0))
HOP = 0.5


def step(number, dog=0.0, music=0.0, speech=0.0, base=0.0):
    now = base + number * HOP
    return Step(now - HOP, now - HOP, now, np.array([dog, music, speech], np.float32))


def barred(rules, music):
    """Feed the scores of Music, a step each, and return in which of them Dog is barred."""
    return [DOG in rules.feed(step(n, music=score)) for n, score in enumerate(music, 1)]


@pytest.fixture
def no_dog_while_music():
    return Rules({DOG: Rule(suppress_while=(MUSIC,))}, SETTINGS)


def test_a_label_is_barred_from_on_to_off_of_another(no_dog_while_music):
    found = barred(no_dog_while_music, [0.4, 0.5, 0.3, 0.3, 0.3, 0.3, 0.3])
    assert found == [False, True, True, True, True, True, True]


def test_a_pause_up_to_hold_lifts_nothing(no_dog_while_music):
    found = barred(no_dog_while_music, [0.5, 0.2, 0.2, 0.4, 0.2, 0.2, 0.2, 0.4])
    assert found == [True] * 6 + [False, False]


def test_only_the_labels_of_the_rule_are_barred(no_dog_while_music):
    assert no_dog_while_music.feed(step(1, dog=0.9, music=0.9, speech=0.9)) == {DOG}


def test_one_of_several_sounds_is_enough():
    rules = Rules({DOG: Rule(suppress_while=(MUSIC, SPEECH))}, SETTINGS)
    assert rules.feed(step(1, speech=0.9)) == {DOG}


def test_what_was_heard_before_a_reset_is_forgotten(no_dog_while_music):
    barred(no_dog_while_music, [0.9])
    no_dog_while_music.reset()
    assert barred(no_dog_while_music, [0.4]) == [False]


def test_changed_settings_hold_from_the_next_step(no_dog_while_music):
    no_dog_while_music.set_settings(MUSIC, TrackerSettings(on=0.9, off=0.8, hold=0.0))
    assert barred(no_dog_while_music, [0.7, 0.95, 0.7]) == [False, True, False]


def test_settings_of_a_label_that_suppresses_nothing_change_nothing(no_dog_while_music):
    no_dog_while_music.set_settings(SPEECH, TrackerSettings(on=0.0, off=0.0))
    assert barred(no_dog_while_music, [0.1]) == [False]


def test_a_label_is_barred_outside_its_hours():
    schedule = Schedule((parse_period("sun,mon 22:00-06:00"),), timezone.utc)
    rules = Rules({DOG: Rule(active=schedule)}, SETTINGS)
    midnight = datetime(2026, 3, 2, tzinfo=timezone.utc).timestamp()
    found = {
        hour: rules.feed(step(0, base=midnight + 3600 * hour)) == {DOG}
        for hour in (0, 5, 6, 21, 22, 46)
    }
    assert found == {0: False, 5: False, 6: True, 21: True, 22: False, 46: True}


SCORES = st.lists(st.sampled_from([0.0, 0.2, 0.35, 0.5, 0.9]), max_size=60)
HOLDS = st.sampled_from([0.0, 0.5, 1.0, 2.0])


@given(SCORES, HOLDS)
def test_a_label_is_barred_exactly_while_an_event_of_the_other_runs(scores, hold):
    settings = {MUSIC: TrackerSettings(on=0.5, off=0.3, hold=hold)}
    rules = Rules({DOG: Rule(suppress_while=(MUSIC,))}, settings)
    tracker = EventTracker("mic", settings, lambda: "x")
    running = []
    for number, score in enumerate(scores, 1):
        for event in tracker.feed(step(number, music=score)):
            running = [] if event.phase == "end" else [event]
        assert (rules.feed(step(number, music=score)) == {DOG}) is bool(running)


def test_what_is_heard_is_not_forgotten_when_rules_change(no_dog_while_music):
    assert barred(no_dog_while_music, [0.9]) == [True]
    moved = Label(2, "Music", "")
    no_dog_while_music.follow({SPEECH: Rule(suppress_while=(moved,))}, {moved: SETTINGS[MUSIC]})
    assert no_dog_while_music.feed(step(2, speech=0.4)) == {SPEECH}
