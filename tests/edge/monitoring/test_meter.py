from dataclasses import replace

import numpy as np
import pytest

from ast_edge.audio.health import OK, Health
from ast_edge.audio.stream import Block, Stream
from ast_edge.audio.timeline import Anchor, Timeline
from ast_edge.base.errors import AudioError
from ast_edge.detection.event import Event
from ast_edge.frontend.listener import Window
from ast_edge.model.label import Label
from ast_edge.monitoring.meter import LAST_EVENTS, Histogram, Meter

LIVE = Stream("kitchen", 16000, 1, started_at=100.0, live=True)
DOG = Label(0, "Dog", "")


class Clock:
    now = 103.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def meter(clock):
    return Meter({"kitchen": "bands", "hall": "bands"}, clock)


def block(seconds=0.1, stream=LIVE, value=0.5):
    return Block(stream, 0, np.tile(np.float32([[value], [-value]]), (round(seconds * 8000), 1)))


def window(heard, stream=LIVE, quiet=False):
    fbank = np.zeros((1, 1))
    return Window(stream, heard - 2, heard, hop=0.5, heard=heard, fbank=fbank, quiet=quiet)


def event(id="1", phase="start", onset=100.0, source="kitchen"):
    return Event(id, phase, source, DOG, onset, onset + 1, 0.9, 0.9, "home")


def kitchen(meter):
    return meter.read().sources["kitchen"]


def test_sound_is_counted_in_seconds_and_measured(meter):
    for _ in range(15):
        meter.heard(block(0.1))
    assert kitchen(meter).audio_seconds == pytest.approx(1.5)
    assert kitchen(meter).level.peak == pytest.approx(-6.0, abs=0.1)
    assert meter.read().sources["hall"].audio_seconds == 0


def test_every_stream_after_the_first_is_a_gap(meter):
    for stream in (LIVE, LIVE, replace(LIVE), replace(LIVE)):
        meter.heard(block(stream=stream))
    assert kitchen(meter).gaps == 2


@pytest.mark.parametrize(
    ("tell", "state", "is_up"),
    [
        (lambda meter: None, "listening", True),
        (lambda meter: meter.silent("kitchen"), "silent", False),
        (lambda meter: meter.health("kitchen", Health("waiting", "gone")), "silent", False),
        (lambda meter: meter.health("kitchen", Health("clipping", "loud")), "clipping", True),
        (lambda meter: meter.ended("kitchen", None), "ended", False),
        (lambda meter: meter.ended("kitchen", AudioError("gone")), "failed", False),
        (lambda meter: meter.begun("kitchen"), "starting", False),
    ],
)
def test_the_state_is_what_was_heard_of_the_source_last(meter, clock, tell, state, is_up):
    meter.heard(block())
    clock.now = 200.0
    tell(meter)
    assert (kitchen(meter).state, kitchen(meter).is_up) == (state, is_up)
    assert kitchen(meter).since == (103.0 if state == "listening" else 200.0)


def test_a_source_that_clips_still_clips_when_sound_comes(meter):
    meter.health("kitchen", Health("clipping", "loud"))
    meter.heard(block())
    assert (kitchen(meter).state, kitchen(meter).detail) == ("clipping", "loud")
    meter.health("kitchen", OK)
    assert (kitchen(meter).state, kitchen(meter).detail) == ("listening", "")


def test_the_start_is_told_by_the_clock_as_it_is_now():
    wall, steady = Clock(), Clock()
    meter = Meter({"kitchen": "bands"}, wall, steady)
    for clock in (wall, steady):
        clock.now += 60
    wall.now += 1e9
    assert meter.read().since == 103.0 + 1e9
    assert meter.read().since == 103.0 + 1e9


def test_the_latency_of_a_window_counts_from_when_its_sound_was(meter, clock):
    clock.now = 1102.5
    drifting = Timeline((Anchor(0.0, 100.0, 1.002),))
    meter.scored([replace(window(heard=1000.0), times=drifting)], 0.1, 0)
    assert kitchen(meter).latency == pytest.approx(0.5)


def test_a_stream_by_another_clock_has_a_latency_of_its_own(meter):
    meter.heard(block())
    meter.scored([window(-1e6)], seconds=0.2, dropped=0)
    meter.heard(block(stream=replace(LIVE)))
    assert kitchen(meter).latency is None


def test_a_source_that_is_silent_has_no_level(meter):
    meter.heard(block(1.0))
    meter.silent("kitchen")
    assert kitchen(meter).level is None


def test_windows_are_counted_and_timed(meter):
    meter.scored([window(2.5), window(2.8)], seconds=0.2, dropped=0)
    assert kitchen(meter).windows == 2
    assert kitchen(meter).latency == pytest.approx(0.47)  # 0.5 at first, then 0.2
    assert meter.read().real_time_factor == pytest.approx(0.2)
    assert meter.read().inference["bands"].total == pytest.approx(0.2)


def test_windows_that_no_engine_has_seen_are_not_timed(meter):
    meter.scored([window(2.5)], seconds=0.0, dropped=0)
    assert kitchen(meter).windows == 1
    assert meter.read().inference["bands"].total == 0


def test_events_are_counted_when_they_begin_with_what_it_took_to_notice(meter):
    meter.heard(block())
    for phase in ("start", "update", "end"):
        meter.publish(event(phase=phase, onset=101.0))
    assert kitchen(meter).events == {"dog": 1}
    assert meter.read().latency.cumulative[-1] == 1
    assert meter.read().latency.total == pytest.approx(2.0)


def test_events_of_a_recording_have_no_latency(meter):
    meter.heard(block(stream=replace(LIVE, live=False)))
    meter.publish(event())
    assert kitchen(meter).events == {"dog": 1}
    assert meter.read().latency.cumulative[-1] == 0


def test_the_newest_events_are_remembered_as_they_were_last(meter):
    for number in range(LAST_EVENTS + 5):
        meter.publish(event(str(number)))
    meter.publish(event("14", phase="end"))
    found = meter.read().events
    assert [e.id for e in found] == [str(number) for number in range(5, 15)]
    assert [e.phase for e in found] == ["start"] * 9 + ["end"]


def test_a_source_that_goes_is_forgotten_and_one_that_stays_is_not(meter):
    meter.heard(block())
    meter.follow({"kitchen": "bands", "bath": "bands"})
    found = meter.read().sources
    assert list(found) == ["kitchen", "bath"]
    assert found["kitchen"].state == "listening"
    assert found["bath"].state == "starting"


def test_what_was_read_does_not_change(meter):
    before = meter.read()
    meter.heard(block())
    meter.publish(event())
    assert before.sources["kitchen"].state == "starting"
    assert before.events == ()


def test_a_histogram_counts_values_up_to_each_limit():
    found = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 3.0):
        found = found.add(value)
    assert found.cumulative == [2, 3, 4]
    assert found.total == 6.0
