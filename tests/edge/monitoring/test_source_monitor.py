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
from ast_edge.monitoring.source_monitor import LAST_EVENTS, SourceMonitor

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
def monitor(clock):
    return SourceMonitor({"kitchen": "bands", "hall": "bands"}, clock)


def block(seconds=0.1, stream=LIVE, value=0.5):
    return Block(stream, 0, np.tile(np.float32([[value], [-value]]), (round(seconds * 8000), 1)))


def window(heard, stream=LIVE, quiet=False):
    fbank = np.zeros((1, 1))
    return Window(stream, heard - 2, heard, hop=0.5, heard=heard, fbank=fbank, quiet=quiet)


def event(id="1", phase="start", onset=100.0, source="kitchen"):
    return Event(id, phase, source, DOG, onset, onset + 1, 0.9, 0.9, "home")


def kitchen(monitor):
    return monitor.read().sources["kitchen"]


def test_sound_is_counted_in_seconds_and_measured(monitor):
    for _ in range(15):
        monitor.heard(block(0.1))
    assert kitchen(monitor).audio_seconds == pytest.approx(1.5)
    assert kitchen(monitor).level.peak == pytest.approx(-6.0, abs=0.1)
    assert monitor.read().sources["hall"].audio_seconds == 0


def test_every_stream_after_the_first_is_a_gap(monitor):
    for stream in (LIVE, LIVE, replace(LIVE), replace(LIVE)):
        monitor.heard(block(stream=stream))
    assert kitchen(monitor).gaps == 2


@pytest.mark.parametrize(
    ("tell", "state", "is_up"),
    [
        (lambda monitor: None, "listening", True),
        (lambda monitor: monitor.silent("kitchen"), "silent", False),
        (lambda monitor: monitor.health("kitchen", Health("waiting", "gone")), "silent", False),
        (lambda monitor: monitor.health("kitchen", Health("clipping", "loud")), "clipping", True),
        (lambda monitor: monitor.ended("kitchen", None), "ended", False),
        (lambda monitor: monitor.ended("kitchen", AudioError("gone")), "failed", False),
        (lambda monitor: monitor.begun("kitchen"), "starting", False),
    ],
)
def test_the_state_is_what_was_heard_of_the_source_last(monitor, clock, tell, state, is_up):
    monitor.heard(block())
    clock.now = 200.0
    tell(monitor)
    assert (kitchen(monitor).state, kitchen(monitor).is_up) == (state, is_up)
    assert kitchen(monitor).since == (103.0 if state == "listening" else 200.0)


def test_a_source_that_clips_still_clips_when_sound_comes(monitor):
    monitor.health("kitchen", Health("clipping", "loud"))
    monitor.heard(block())
    assert (kitchen(monitor).state, kitchen(monitor).detail) == ("clipping", "loud")
    monitor.health("kitchen", OK)
    assert (kitchen(monitor).state, kitchen(monitor).detail) == ("listening", "")


def test_the_latency_of_a_window_counts_from_when_its_sound_was(monitor, clock):
    clock.now = 1102.5
    drifting = Timeline((Anchor(0.0, 100.0, 1.002),))
    monitor.scored([replace(window(heard=1000.0), times=drifting)], 0.1, 0)
    assert kitchen(monitor).latency == pytest.approx(0.5)


def test_a_stream_by_another_clock_has_a_latency_of_its_own(monitor):
    monitor.heard(block())
    monitor.scored([window(-1e6)], seconds=0.2, dropped=0)
    monitor.heard(block(stream=replace(LIVE)))
    assert kitchen(monitor).latency is None


@pytest.mark.parametrize(
    "tell",
    [
        lambda monitor: monitor.silent("kitchen"),
        lambda monitor: monitor.health("kitchen", Health("waiting", "gone")),
        lambda monitor: monitor.health("kitchen", Health("stalled", "hangs")),
        lambda monitor: monitor.ended("kitchen", None),
        lambda monitor: monitor.ended("kitchen", AudioError("gone")),
    ],
)
def test_a_source_without_sound_has_no_level(monitor, tell):
    monitor.heard(block(1.0))
    tell(monitor)
    assert kitchen(monitor).level is None


def test_a_level_is_not_of_sound_before_and_after_a_silence(monitor):
    monitor.heard(block(0.5))
    monitor.silent("kitchen")
    monitor.heard(block(0.5))
    assert kitchen(monitor).level is None
    monitor.heard(block(0.5))
    assert kitchen(monitor).levels == 1


@pytest.mark.parametrize("condition", ["muted", "clipping", "drifting"])
def test_a_source_that_is_not_well_and_falls_silent_comes_back_as_it_was(monitor, condition):
    monitor.heard(block())
    monitor.health("kitchen", Health(condition, "why"))
    monitor.silent("kitchen")
    assert kitchen(monitor).state == "silent"
    monitor.heard(block())
    assert (kitchen(monitor).state, kitchen(monitor).detail) == (condition, "why")


def test_sound_says_before_the_source_does_that_it_is_back(monitor):
    monitor.health("kitchen", Health("stalled", "hangs"))
    monitor.heard(block())
    assert (kitchen(monitor).state, kitchen(monitor).detail) == ("listening", "")


def test_a_source_that_listens_and_is_paused_is_disabled_since_then(monitor, clock):
    monitor.heard(block())
    clock.now = 200.0
    monitor.pause("kitchen", "switched off")
    monitor.heard(block())
    found = kitchen(monitor)
    assert (found.state, found.detail, found.since) == ("disabled", "switched off", 200.0)
    assert found.is_up


def test_a_fault_goes_before_a_source_that_is_paused(monitor):
    monitor.heard(block())
    monitor.pause("kitchen", "switched off")
    monitor.silent("kitchen")
    assert kitchen(monitor).state == "silent"
    monitor.heard(block())
    assert kitchen(monitor).state == "disabled"


@pytest.mark.parametrize("health", [OK, Health("ok", "its sound ends at 4 kHz")])
def test_a_source_that_is_paused_no_more_listens_as_before(monitor, health):
    monitor.health("kitchen", health)
    monitor.pause("kitchen", "switched off")
    monitor.pause("kitchen", "")
    assert (kitchen(monitor).state, kitchen(monitor).detail) == ("listening", health.reason)


def test_a_pause_whose_reason_changes_says_the_new_one(monitor):
    monitor.heard(block())
    for why in ("snoozed until noon", "switched off"):
        monitor.pause("kitchen", why)
    assert (kitchen(monitor).state, kitchen(monitor).detail) == ("disabled", "switched off")


def test_sound_waits_to_be_scored_until_a_window_of_it_is(monitor):
    for _ in range(2):
        monitor.heard(block(1.5))
    assert kitchen(monitor).unscored == 3.0
    monitor.scored([window(2.5)], seconds=0.1, dropped=0)
    assert kitchen(monitor).unscored == 0.0


def test_renderers_are_told_of_every_change_with_what_was_before(monitor):
    told = []

    class Renderer:
        def changed(self, source, before, reading):
            told.append((source, before.state, reading.sources[source].state))

    monitor.renderers.append(Renderer())
    monitor.heard(block())
    monitor.silent("kitchen")
    monitor.ended("hall", AudioError("gone"))
    assert told == [
        ("kitchen", "starting", "listening"),
        ("kitchen", "listening", "silent"),
        ("hall", "starting", "failed"),
    ]


def test_a_batch_is_told_source_by_source_with_all_that_it_has_changed(monitor):
    told = []

    class Renderer:
        def changed(self, source, before, reading):
            found = reading.sources[source]
            told.append((source, found.windows - before.windows, reading.windows, reading.dropped))

    monitor.renderers.append(Renderer())
    hall = replace(LIVE, source="hall")
    monitor.scored([window(2.5), window(2.5, hall), window(2.8)], seconds=0.2, dropped=4)
    assert told == [("kitchen", 2, 3, 4), ("hall", 1, 3, 4)]


def test_windows_are_counted_and_timed(monitor):
    monitor.scored([window(2.5), window(2.8)], seconds=0.2, dropped=0)
    assert kitchen(monitor).windows == 2
    assert kitchen(monitor).latency == pytest.approx(0.47)  # 0.5 at first, then 0.2
    assert monitor.read().real_time_factor == pytest.approx(0.2)
    assert monitor.read().inference["bands"].total == pytest.approx(0.2)


def test_windows_that_no_engine_has_seen_are_not_timed(monitor):
    monitor.scored([window(2.5)], seconds=0.0, dropped=0)
    assert kitchen(monitor).windows == 1
    assert monitor.read().inference["bands"].total == 0


def test_events_are_counted_when_they_begin_with_what_it_took_to_notice(monitor):
    monitor.heard(block())
    for phase in ("start", "update", "end"):
        monitor.publish(event(phase=phase, onset=101.0))
    assert kitchen(monitor).events == {"dog": 1}
    assert monitor.read().latency.cumulative[-1] == 1
    assert monitor.read().latency.total == pytest.approx(2.0)


def test_events_of_a_recording_have_no_latency(monitor):
    monitor.heard(block(stream=replace(LIVE, live=False)))
    monitor.publish(event())
    assert kitchen(monitor).events == {"dog": 1}
    assert monitor.read().latency.cumulative[-1] == 0


def test_the_newest_events_are_remembered_as_they_were_last(monitor):
    for number in range(LAST_EVENTS + 5):
        monitor.publish(event(str(number)))
    monitor.publish(event("14", phase="end"))
    found = monitor.read().events
    assert [e.id for e in found] == [str(number) for number in range(5, 15)]
    assert [e.phase for e in found] == ["start"] * 9 + ["end"]


def test_a_source_that_goes_is_forgotten_and_one_that_stays_is_not(monitor):
    monitor.heard(block())
    monitor.follow({"kitchen": "bands", "bath": "bands"})
    found = monitor.read().sources
    assert list(found) == ["kitchen", "bath"]
    assert found["kitchen"].state == "listening"
    assert (found["bath"].state, found["bath"].since) == ("starting", 103.0)


def test_a_source_that_gets_another_bundle_keeps_its_numbers(monitor):
    monitor.heard(block())
    monitor.follow({"kitchen": "home"})
    assert (kitchen(monitor).bundle, kitchen(monitor).audio_seconds) == ("home", 0.1)
    assert list(monitor.read().inference) == ["home"]


def test_what_was_read_does_not_change(monitor):
    before = monitor.read()
    monitor.heard(block())
    monitor.publish(event())
    assert before.sources["kitchen"].state == "starting"
    assert before.events == ()
