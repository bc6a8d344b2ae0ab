"""A pipeline over streams of a clock that is set, or never was."""

from dataclasses import replace
from datetime import datetime, timezone

import numpy as np
import pytest

from ast_edge.audio.stream import Block, Stream
from ast_edge.detection.hearing import Hearing
from ast_edge.detection.pipeline import Pipeline
from ast_edge.detection.rules import Rule
from ast_edge.detection.schedule import Schedule, parse_period
from ast_edge.model.bundle import load_bundle

pytest.importorskip("onnx", reason="onnx is not installed")
from rigs.daemon_parts import NumpyEngine
from rigs.model import RATE, silence, tone

NOW = 1_800_000_000.0
SOUND = np.concatenate([silence(1.5), tone("Hum", 0.7), silence(2.0)])


@pytest.fixture(scope="module")
def bundle(tiny_model):
    return load_bundle(tiny_model)


def play(pipeline, sound, started_at, live=True):
    """Return the names of what begins in a stream of its own."""
    stream = Stream("array", RATE, 1, started_at, live)
    events = []
    for window in pipeline.feed(Block(stream, 0, sound[:, np.newaxis])) + pipeline.flush():
        ((clip, frame),) = NumpyEngine().run(window.fbank[np.newaxis]).each()
        events += pipeline.score(window, clip, frame)
    return [event.label.name for event in events if event.phase == "start"]


@pytest.mark.parametrize("cooldown", [0.0, 0.5])
@pytest.mark.parametrize("set_to", [0.0, NOW - 8 * 3600, NOW - 5, NOW + 10 * 366 * 86400])
def test_after_the_clock_was_set_all_is_heard_as_before(bundle, cooldown, set_to):
    settings = {label: replace(s, cooldown=cooldown) for label, s in bundle.settings.items()}
    pipeline = Pipeline("array", Hearing(bundle, settings, 0.1))
    assert play(pipeline, SOUND, NOW) == ["Hum"]
    assert play(pipeline, SOUND, set_to) == ["Hum"]
    assert play(pipeline, SOUND, NOW - 60) == ["Hum"]


HOURS = Rule(active=Schedule((parse_period("22:00-06:00"),), timezone.utc))
NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc).timestamp()


def test_by_a_clock_that_was_never_set_every_hour_is_active_which_is_said_once(bundle, caplog):
    caplog.set_level("INFO")
    hum, _ = bundle.labels
    pipeline = Pipeline("array", Hearing(bundle, bundle.settings, 0.1, rules={hum: HOURS}))
    assert play(pipeline, SOUND, 12 * 3600.0) == ["Hum"]
    assert play(pipeline, SOUND, 13 * 3600.0) == ["Hum"]
    assert play(pipeline, SOUND, NOON) == []
    assert caplog.messages == [
        "source array: the clock says 1970-01-01T12:00:00.000Z, so it has not been set: every hour "
        "counts as active until it is",
        "source array: the clock is set: active hours are kept to",
    ]


def test_nothing_is_said_of_the_clock_where_it_does_not_matter(bundle, caplog):
    play(Pipeline("array", Hearing(bundle, bundle.settings, 0.1)), SOUND, 60.0)
    rules = dict.fromkeys(bundle.labels, HOURS)
    play(
        Pipeline("array", Hearing(bundle, bundle.settings, 0.1, rules=rules)),
        SOUND,
        0.0,
        live=False,
    )
    assert caplog.messages == []
