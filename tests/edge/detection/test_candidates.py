"""What becomes no event, by the tracker and rules that hold it back."""

import numpy as np
import pytest

from ast_edge.detection.candidates import Candidates
from ast_edge.detection.rules import Rule, Rules
from ast_edge.detection.schedule import Schedule, parse_period
from ast_edge.detection.tracker import EventTracker, Step
from ast_edge.model.label import Label
from ast_edge.model.label_settings import TrackerSettings

DOG, TV = Label(0, "Dog", ""), Label(1, "Television", "")


def follow(scores, tv=(), rule=None, disabled=False, **settings):
    """Feed a score a second; return the candidates, and how many events began."""
    known = {
        DOG: TrackerSettings(on=0.5, off=0.3, hold=0.0, **settings),
        TV: TrackerSettings(0.5, 0.3),
    }
    tracker = EventTracker("hall", known, new_id=lambda: "0" * 32)
    rules = Rules({DOG: rule} if rule else {}, known)
    candidates = Candidates("hall", tracker, rules)
    if disabled:
        tracker.set_enabled([TV])
    found, began = [], 0
    for second, score in enumerate([*scores, 0.0, 0.0, 0.0]):
        loud = tv[second] if second < len(tv) else 0.0
        step = Step(second, second + 1.0, second + 1.0, np.float32([score, loud]))
        barred = rules.feed(step)
        events = tracker.feed(step, barred)
        began += sum(e.phase == "start" and e.label == DOG for e in events)
        found += [c for c in candidates.feed(step, barred) if c.label == DOG]
    return found, began


def test_what_stays_below_on_is_held_back_by_that():
    (candidate,), began = follow([0.1, 0.35, 0.45, 0.2])
    assert (candidate.why, candidate.onset, candidate.offset, began) == ("on", 1.0, 3.0, 0)
    assert candidate.peak == pytest.approx(0.45)


def test_what_is_too_short_is_held_back_by_the_minimum_duration():
    (candidate,), began = follow([0.35, 0.9, 0.2], min_duration=5)
    assert (candidate.why, began) == ("duration", 0)


def test_what_comes_too_soon_is_held_back_by_the_cooldown():
    candidates, began = follow([0.9, 0.1, 0.9, 0.1], cooldown=30)
    assert ([c.why for c in candidates], began) == (["cooldown"], 1)


def test_what_is_suppressed_is_held_back_by_the_other_label():
    (candidate,), began = follow([0.1, 0.9, 0.1], tv=[0.9, 0.9, 0.9], rule=Rule(None, (TV,)))
    assert (candidate.why, candidate.other, began) == ("suppressed", "Television", 0)


def test_what_is_outside_its_hours_is_held_back_by_them():
    from datetime import timezone

    # Seconds of 2026: the clock must have been set for hours to count.
    noon = Schedule((parse_period("12:00-13:00"),), timezone.utc)
    known = {DOG: TrackerSettings(on=0.5, off=0.3)}
    tracker, rules = EventTracker("hall", known, new_id=str), Rules({DOG: Rule(noon)}, known)
    candidates, found, midnight = Candidates("hall", tracker, rules), [], 1795824000.0
    for second, score in enumerate([0.9, 0.0]):
        now = midnight + second
        step = Step(now, now + 1, now + 1, np.float32([score, 0]))
        barred = rules.feed(step)
        assert not tracker.feed(step, barred)
        found += candidates.feed(step, barred)
    assert [c.why for c in found] == ["hours"]


def test_what_is_switched_off_is_held_back_by_that():
    (candidate,), began = follow([0.9, 0.1], disabled=True)
    assert (candidate.why, began) == ("disabled", 0)


def test_what_becomes_an_event_is_no_candidate():
    assert follow([0.35, 0.9, 0.9, 0.1]) == ([], 1)


def test_a_score_that_is_no_number_is_no_candidate():
    assert follow([float("nan")]) == ([], 0)
