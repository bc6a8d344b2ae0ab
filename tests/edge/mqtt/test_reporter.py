import json
from dataclasses import replace

import numpy as np
import pytest

from ast_edge.audio.health import OK, Health
from ast_edge.audio.stream import Block, Stream
from ast_edge.base.errors import AudioError
from ast_edge.detection.event import Event
from ast_edge.frontend.listener import Window
from ast_edge.model.label import Label
from ast_edge.monitoring.source_monitor import SourceMonitor
from ast_edge.mqtt.reporter import Reporter
from ast_edge.mqtt.source_status import NodeStatus
from ast_edge.mqtt.topics import Topics

ROOT = "ast-edge/attic/"
LIVE = Stream("kitchen", 16000, 1, started_at=100.0, live=True)


class Rig:
    """A reporter of a monitor's readings whose messages are kept, by topic below the node's."""

    def __init__(self):
        self.told, self.now = [], 103.0
        self.monitor = SourceMonitor({"kitchen": "home"}, clock=lambda: self.now)
        self.reporter = self.new_reporter()
        self.monitor.renderers.append(self.reporter)

    def new_reporter(self):
        """Return one that has said nothing yet."""
        status = NodeStatus(Topics("ast-edge", "attic"), ["kitchen"], since=100.0)
        return Reporter(status, self._say, lambda source: "openvino")

    def _say(self, make):
        self.told += [(m.topic.removeprefix(ROOT), m.payload) for m in make()]

    def payloads(self, topic):
        return [json.loads(payload) for found, payload in self.told if found == topic]


@pytest.fixture
def rig():
    return Rig()


def block(seconds, start=0, value=0.5):
    samples = np.tile(np.float32([[value], [-value]]), (int(seconds * 8000), 1))
    return Block(LIVE, start, samples)


def window(heard, hop=0.5):
    return Window(
        stream=LIVE, start=heard - 2, end=heard, heard=heard, hop=hop, fbank=np.zeros((1, 1))
    )


def test_a_source_listens_from_its_first_sound_on_and_says_so_once(rig):
    rig.monitor.heard(block(0.1))
    rig.monitor.heard(block(0.1))
    assert [found["state"] for found in rig.payloads("kitchen/status")] == ["listening"]
    assert ("kitchen/availability", "online") in rig.told


def test_the_level_is_that_of_a_second_of_sound(rig):
    for value in (0.0, 0.1, 0.5, 0.1):
        rig.monitor.heard(block(0.25, value=value))
    (level,) = rig.payloads("kitchen/level")
    rms = np.sqrt(np.mean(np.square([0.0, 0.1, 0.5, 0.1])))
    assert level["peak"] == pytest.approx(20 * np.log10(0.5), abs=0.1)
    assert level["rms"] == pytest.approx(20 * np.log10(rms), abs=0.1)


def of_other_stream(channels, sample_rate=16000):
    stream = replace(LIVE, channels=channels, sample_rate=sample_rate)
    return Block(stream, 0, np.full((sample_rate // 2, channels), 0.5, np.float32))


@pytest.mark.parametrize(("channels", "sample_rate"), [(2, 16000), (1, 48000), (8, 8000)])
def test_a_microphone_that_comes_back_in_another_format_has_a_level(rig, channels, sample_rate):
    rig.monitor.heard(block(0.5))
    other = of_other_stream(channels, sample_rate)
    rig.monitor.heard(other)
    assert rig.payloads("kitchen/level") == []  # not of half a second of each
    rig.monitor.heard(other)
    assert len(rig.payloads("kitchen/level")) == 1


def test_a_silent_source_is_offline_until_there_is_sound(rig):
    rig.monitor.heard(block(0.1))
    rig.monitor.silent("kitchen")
    rig.monitor.heard(block(0.1))
    states = [found["state"] for found in rig.payloads("kitchen/status")]
    assert states == ["listening", "silent", "listening"]
    available = [payload for topic, payload in rig.told if topic == "kitchen/availability"]
    assert available == ["online", "offline", "online"]


@pytest.mark.parametrize(
    ("error", "state", "detail"),
    [(None, "ended", ""), (AudioError("tone.wav: is gone"), "failed", "tone.wav: is gone")],
)
def test_the_end_of_a_source_is_told_with_the_reason(rig, error, state, detail):
    rig.monitor.ended("kitchen", error)
    (status,) = rig.payloads("kitchen/status")
    assert (status["state"], status["detail"]) == (state, detail)


def test_diagnostics_tell_latency_and_real_time_factor(rig):
    rig.monitor.scored([window(heard=2.8), window(heard=2.9)], seconds=0.1, dropped=3)
    (found,) = rig.payloads("kitchen/diagnostics")
    assert found["latency_ms"] == pytest.approx(200, abs=20)
    assert found["real_time_factor"] == pytest.approx(0.1)
    assert found["dropped_windows"] == 3
    assert (found["model"], found["engine"]) == ("home", "openvino")


def test_the_newest_event_is_kept_as_attributes(rig):
    dog = Label(0, "Dog", "")
    rig.reporter.publish(Event("1", "start", "kitchen", dog, 100.0, 101.0, 0.9, 0.9, "home"))
    (attributes,) = rig.payloads("kitchen/dog/attributes")
    assert attributes["label"] == "Dog"


def test_how_well_sound_arrives_is_said_with_the_reason(rig):
    rig.monitor.heard(block(0.1))
    rig.monitor.health("kitchen", Health("muted", "nothing but zeros"))
    rig.monitor.heard(block(0.1))
    rig.monitor.health("kitchen", OK)
    rig.monitor.heard(block(0.1))
    told = [(found["state"], found["detail"]) for found in rig.payloads("kitchen/status")]
    assert told == [("listening", ""), ("muted", "nothing but zeros"), ("listening", "")]


def test_a_source_that_waits_is_silent_and_says_what_it_waits_for(rig):
    rig.monitor.health("kitchen", Health("waiting", "no input device"))
    rig.monitor.silent("kitchen")  # adds nothing
    [status] = rig.payloads("kitchen/status")
    assert (status["state"], status["detail"]) == ("silent", "no input device")


@pytest.mark.parametrize(
    ("condition", "available"),
    [("muted", "offline"), ("stalled", "offline"), ("clipping", "online"), ("drifting", "online")],
)
def test_only_what_hears_is_available(rig, condition, available):
    rig.monitor.health("kitchen", Health(condition, "why"))
    assert ("kitchen/availability", available) in rig.told


def test_what_sound_that_is_all_right_lacks_is_said_while_it_is_listened_to(rig):
    rig.monitor.heard(block(0.1))
    rig.monitor.health("kitchen", Health("ok", "its sound ends at 4 kHz"))
    rig.monitor.heard(block(0.1))
    told = [(found["state"], found["detail"]) for found in rig.payloads("kitchen/status")]
    assert told == [("listening", ""), ("listening", "its sound ends at 4 kHz")]
    assert ("kitchen/availability", "offline") not in rig.told


@pytest.mark.parametrize(
    ("tell", "state", "detail"),
    [
        (lambda monitor: monitor.heard(block(0.1)), "listening", ""),
        (lambda monitor: monitor.silent("kitchen"), "silent", ""),
        (lambda monitor: monitor.health("kitchen", Health("muted", "zeros")), "muted", "zeros"),
        (lambda monitor: monitor.ended("kitchen", None), "ended", ""),
        (lambda monitor: monitor.ended("kitchen", AudioError("gone")), "failed", "gone"),
    ],
)
def test_another_broker_is_told_how_the_sources_are_and_since_when(rig, tell, state, detail):
    tell(rig.monitor)
    rig.told.clear()
    rig.now += 50
    rig.new_reporter().brief(rig.monitor.read())
    assert rig.payloads("kitchen/status") == [
        {"schema": 1, "state": state, "detail": detail, "since": "1970-01-01T00:01:43.000Z"}
    ]


def test_every_level_is_told_though_it_is_the_same(rig, monkeypatch):
    now = [0.0]
    rig.reporter._monotonic = lambda: now[0]
    for _ in range(61):
        rig.monitor.heard(block(1.0))
        now[0] += 1.0
    assert len(rig.payloads("kitchen/level")) == 3  # the heartbeat
