"""Looking only at labels that a step shows gives, to the bit, what asking every label gives."""

import random
from dataclasses import replace
from datetime import timezone
from itertools import count
from operator import methodcaller

import numpy as np
import pytest
from rigs.plain_tracker import PlainPipeline, PlainRules, PlainTracker

from ast_edge.audio.stream import Stream
from ast_edge.detection.groups import Group
from ast_edge.detection.hearing import Hearing
from ast_edge.detection.pipeline import Pipeline
from ast_edge.detection.rules import Rule, Rules
from ast_edge.detection.schedule import Schedule, parse_period
from ast_edge.detection.tracker import EventTracker, Step
from ast_edge.frontend.listener import Window
from ast_edge.model.bundle import find_bundle, load_bundle
from ast_edge.model.label import Label
from ast_edge.model.label_settings import TrackerSettings

HOP, WINDOW = 0.5, 2.0
START = 1_700_000_000.3
NAMES = ("Dog", "Cat", "Snoring", "Music", "Speech", "Siren", "Cough", "Bell", "Rain", "Wind")
HOURS = ("22:00-06:00", "sat,sun", "mon-fri 08:00-17:00", "00:00-24:00")
STEPS = 400
OTHER = Label(0, "Other", "")
"""Is not followed."""


def some_settings(rng):
    """Thresholds as they are written in a configuration, which no float32 is exactly."""
    on = rng.choice([0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0])
    return TrackerSettings(
        on=on,
        off=rng.choice([0.0, on, round(on * rng.random(), 2)]),
        min_duration=rng.choice([0.0, 0.0, 0.5, 1.5]),
        hold=rng.choice([0.0, 0.5, 1.0, 3.0]),
        cooldown=rng.choice([0.0, 0.0, 0.5, 4.0]),
    )


def some_labels(rng):
    """Some labels in any order, each with a column of its own."""
    names = rng.sample(NAMES, rng.randint(1, len(NAMES)))
    columns = rng.sample(range(len(NAMES)), len(names))
    return [Label(column, name, "") for column, name in zip(columns, names, strict=True)]


def some_of(rng, labels):
    return rng.sample(labels, rng.randint(0, len(labels)))


def some_rules(rng, labels):
    rules = {}
    for label in rng.sample(labels, len(labels) // 2):
        hours = Schedule((parse_period(rng.choice(HOURS)),), timezone.utc)
        rules[label] = Rule(rng.choice([None, hours]), tuple(some_of(rng, labels)[:3]))
    return rules


class Sound:
    """Scores that last, lie at thresholds or just beside them, and now and then are no numbers."""

    def __init__(self, rng, columns):
        self.rng, self.scores = rng, np.zeros(columns, np.float32)

    def next(self, thresholds):
        for column in range(len(self.scores)):
            if self.rng.random() < 0.3:
                self.scores[column] = self._score(np.float32(self.rng.choice(thresholds)))
        return self.scores.copy()

    def _score(self, at):
        beside = [np.nextafter(at, np.float32(side)) for side in (0, 1)]
        other = [np.float32(0), np.float32(1), np.float32(self.rng.random()), np.float32("nan")]
        return self.rng.choices([at, *beside, *other], [3, 2, 2, 6, 1, 3, 0.3])[0]


def thresholds(settings):
    return [value for one in settings for value in (one.on, one.off)]


def ids():
    numbers = count(1)
    return lambda: f"id{next(numbers)}"


@pytest.mark.parametrize("seed", range(20))
def test_a_tracker_finds_what_one_finds_that_asks_every_label(seed):
    rng = random.Random(seed)
    settings = {label: some_settings(rng) for label in some_labels(rng)}
    trackers = [kind("mic", settings, ids()) for kind in (EventTracker, PlainTracker)]
    sound, now, phases = Sound(rng, len(NAMES)), START, set()
    for _ in range(STEPS):
        labels, action = list(settings), rng.random()
        now += HOP
        step = Step(now - HOP, now - WINDOW + HOP, now, sound.next(thresholds(settings.values())))
        barred = set(some_of(rng, labels)) if rng.random() < 0.2 else ()
        acts = [methodcaller("feed", step, barred)]
        if action < 0.05:
            label = rng.choice(labels)
            settings[label] = some_settings(rng)
            acts.insert(0, methodcaller("set_settings", label, settings[label]))
        elif action < 0.08:
            acts.insert(0, methodcaller("set_enabled", [*some_of(rng, labels), OTHER]))
        elif action < 0.1:
            settings = {label: some_settings(rng) for label in some_labels(rng)}
            acts.insert(0, methodcaller("follow", settings))
        elif action < 0.11:
            now += rng.choice([-3600.0, 0.0, 7.0])
            acts += [methodcaller("finish"), methodcaller("begin", now)]
        elif action < 0.115:
            acts.append(methodcaller("reset"))
        for act in acts:
            found, expected = map(act, trackers)
            assert found == expected
            phases |= {event.phase for event in found or ()}
        assert [one.is_running for one in trackers] == [trackers[1].is_running] * 2
        assert trackers[0].reported == trackers[1].reported
    assert trackers[0].finish() == trackers[1].finish()
    assert "start" in phases


@pytest.mark.parametrize("seed", range(20))
def test_rules_bar_what_those_bar_that_ask_every_label(seed):
    rng = random.Random(seed)
    settings = {label: some_settings(rng) for label in some_labels(rng)}
    rules = some_rules(rng, list(settings))
    both = [kind(rules, settings) for kind in (Rules, PlainRules)]
    sound, barred = Sound(rng, len(NAMES)), 0
    for number in range(STEPS):
        action = rng.random()
        if action < 0.05:
            label = rng.choice(list(settings))
            settings = {**settings, label: some_settings(rng)}
            change = methodcaller("set_settings", label, settings[label])
        elif action < 0.07:
            settings = {label: some_settings(rng) for label in some_labels(rng)}
            rules = some_rules(rng, list(settings))
            change = methodcaller("follow", rules, settings)
        else:
            change = methodcaller("reset") if action < 0.08 else type
        offset, days = START + HOP * number, 977.0 * HOP * number
        step = Step(offset, offset, START + days, sound.next(thresholds(settings.values())))
        for one in both:
            change(one)
        found, expected = (one.feed(step) for one in both)
        assert found == expected
        assert both[0].need_hours == both[1].need_hours
        barred += len(found)
    assert barred


def some_groups(rng, labels):
    return [
        Group(
            len(labels) + number,
            f"Any {number}",
            "",
            tuple(sorted(some_of(rng, labels) or labels, key=lambda label: label.index)),
            rng.choice(["max", "min", "noisy-or"]),
        )
        for number in range(rng.randint(0, 4))
    ]


@pytest.fixture(scope="module")
def home():
    return load_bundle(find_bundle("home"))


@pytest.mark.parametrize("frame", ["none", "head"])
@pytest.mark.parametrize("seed", range(8))
def test_a_pipeline_finds_what_one_finds_that_asks_every_label(home, seed, frame):
    rng = random.Random(seed)
    labels = tuple(Label(index, name, "") for index, name in enumerate(NAMES))
    own = {label: some_settings(rng) for label in labels}
    gate = rng.random() < 0.5
    bundle = replace(home, labels=labels, settings=own, frame=frame, clip_gate=gate)

    def reported():
        some = sorted(some_of(rng, labels), key=lambda label: label.index)
        return {label: some_settings(rng) for label in [*some, *some_groups(rng, labels)]}

    settings = reported()
    rules = some_rules(rng, list(settings))
    both = [
        kind("mic", Hearing(bundle, settings, HOP, rules=rules), new_id=ids())
        for kind in (Pipeline, PlainPipeline)
    ]
    steps = bundle.members[0].steps
    sound, heard = Sound(rng, len(labels) * steps), []
    for stream, end in windows_of_streams(rng, 120):
        scores = sound.next(thresholds([*own.values(), *settings.values()])).reshape(steps, -1)
        window = Window(stream, end - bundle.window_seconds, end, HOP, end, scores)
        acts, action = [methodcaller("score", window, scores.max(axis=0), scores)], rng.random()
        if action < 0.05 and settings:
            label = rng.choice(list(settings))
            settings = {**settings, label: some_settings(rng)}
            acts.insert(0, methodcaller("set_settings", label, settings[label]))
        elif action < 0.08:
            acts.insert(0, methodcaller("set_enabled", some_of(rng, list(settings))))
        elif action < 0.12:
            settings = reported()
            acts.insert(0, methodcaller("follow", settings, some_rules(rng, list(settings))))
        for act in acts:
            found, expected = map(act, both)
            assert found == expected
            heard += found or ()
        assert both[0].reported == both[1].reported
    assert both[0].finish() == both[1].finish()
    assert heard


def windows_of_streams(rng, count):
    """Yield so many windows, each by its stream and end; the sound is cut now and then."""
    started_at, number, stream = START, 0, None
    for _ in range(count):
        if stream is None or rng.random() < 0.05:
            started_at += number * HOP + rng.choice([-3600.0, 0.0, 5.0])
            stream, number = Stream("mic", 16_000, 1, started_at, live=True), 0
        number += 1
        yield stream, number * HOP
