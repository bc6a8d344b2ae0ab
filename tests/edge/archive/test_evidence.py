"""The few scores of stretches give the events of all."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ast_edge.archive.errors import ArchiveError
from ast_edge.archive.evidence import Evidence, find_events
from ast_edge.detection.hearing import Hearing
from ast_edge.detection.rules import Rule, Rules
from ast_edge.detection.tracker import EventTracker, Step
from ast_edge.model.bundle import load_bundle
from ast_edge.model.label_settings import TrackerSettings

LEVELS = (0.0, 0.2, 0.4, 0.9)


@pytest.fixture(scope="module")
def bundle(tiny_model):
    return load_bundle(tiny_model)


def steps_of(levels):
    """Make steps of 0.5 s of levels for two labels."""
    return [
        Step(n / 2, n / 2 + 0.5, n / 2 + 0.5, np.array([LEVELS[a], LEVELS[b]], np.float32))
        for n, (a, b) in enumerate(levels)
    ]


def in_one_pass(hearing, steps):
    tracker = EventTracker("x", hearing.settings, lambda: "", hearing.bundle.name)
    rules = Rules(hearing.rules, {**hearing.bundle.settings, **hearing.settings})
    events = [e for step in steps for e in tracker.feed(step, barred=rules.feed(step))]
    ends = [e for e in events + tracker.finish() if e.phase == "end"]
    ends = [replace(e, score=0) for e in ends]
    return sorted(ends, key=lambda e: (e.onset, e.offset, e.label.index))


times = st.sampled_from([0.0, 0.5, 1.0, 2.5])
tracked = st.builds(
    TrackerSettings,
    on=st.sampled_from([0.4, 0.9]),
    off=st.sampled_from([0.0, 0.2, 0.4]),
    min_duration=times,
    hold=times,
    cooldown=times,
)


@settings(max_examples=300)
@given(
    levels=st.lists(st.tuples(*[st.integers(0, 3)] * 2), max_size=60),
    cuts=st.lists(st.integers(0, 60), max_size=4),
    of_labels=st.tuples(tracked, tracked),
    only_first=st.booleans(),
    suppresses=st.booleans(),
)
def test_events_are_those_of_all_steps(bundle, levels, cuts, of_labels, only_first, suppresses):
    labels = bundle.labels[:1] if only_first else bundle.labels
    followed = dict(zip(labels, of_labels, strict=False))
    rules = {bundle.labels[0]: Rule(suppress_while=(bundle.labels[1],))} if suppresses else {}
    hearing = Hearing(bundle, followed, rules=rules)
    steps, packed = steps_of(levels), []
    edges = [0, *sorted(cuts), 60]
    for start, end in itertools.pairwise(edges):
        evidence = Evidence(hearing)
        evidence.take(steps[start:end])
        packed.append(evidence.pack())
    found = find_events(hearing, "x", packed)
    # The score in the step that ends an event is in no table.
    assert [replace(e, score=0) for e in found] == in_one_pass(hearing, steps)


def test_what_shows_nothing_costs_nothing(bundle):
    evidence, much = Evidence(Hearing(bundle, bundle.settings)), Evidence(Hearing(bundle, {}))
    evidence.take(steps_of([(0, 0)] * 15_000))
    much.take(steps_of([(3, 3)] * 15_000))
    assert len(evidence.pack()) < 2000
    assert len(much.pack()) < 2000, "nobody asks for these labels"


def test_evidence_that_is_damaged_is_said(bundle):
    with pytest.raises(ArchiveError, match="damaged"):
        find_events(Hearing(bundle, bundle.settings), "x", [b"PK\x03\x04" + bytes(100)])
