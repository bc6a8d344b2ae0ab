"""The daemon with sources that are lists, a model whose scores are known, and sinks that keep."""

import threading

import numpy as np
import pytest

from ast_edge.app.daemon import SILENT_SECONDS, Daemon
from ast_edge.audio.health import OK, Health
from ast_edge.base.errors import AudioError
from ast_edge.detection.hearing import Hearing
from ast_edge.detection.pipeline import Pipeline
from ast_edge.frontend.due_windows import MAX_BATCH, MAX_DUE
from ast_edge.frontend.listener import Listener
from ast_edge.frontend.listening import Listening
from ast_edge.model.bundle import load_bundle
from ast_edge.monitoring.source_monitor import SourceMonitor

pytest.importorskip("onnx", reason="onnx is not installed")
from rigs.daemon_parts import TIMEOUT, ListSink, ListSource, NumpyEngine, Running
from rigs.model import silence, tone
from rigs.mosquitto import wait_until

HOP = 0.1


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now

    def advance(self):
        self.now += SILENT_SECONDS + 1


@pytest.fixture(scope="module")
def bundle(tiny_model):
    return load_bundle(tiny_model)


@pytest.fixture
def make(bundle):
    """Make a daemon for sources, with one sink as its attribute `sink`."""

    def make(*sources, engine=None, sinks=None, **more):
        pipelines = {
            s.name: Pipeline(s.name, Hearing(bundle, bundle.settings, HOP)) for s in sources
        }
        sink = ListSink()
        daemon = Daemon(
            sources, pipelines, {bundle.folder: engine or NumpyEngine()}, sinks or [sink], **more
        )
        daemon.sink = sink
        return daemon

    return make


def beeps(*labels):
    """A second of silence, a second of each label, and again a second of silence."""
    return np.concatenate([silence(1), *(tone(label, 1) for label in labels), silence(1)])


def windows_in(seconds):
    """Count the windows of so many seconds, and of the second of silence that moves in after."""
    return int((seconds + 1.0) / HOP)


def test_events_reach_all_sinks_in_order(make):
    first, second = ListSink(), ListSink()
    make(ListSource("a", beeps("Hum", "Hiss")), sinks=[first, second]).run()
    assert first.events == second.events
    assert first.lives() == [
        ("start", "Hum"),
        ("start", "Hiss"),
        ("end", "Hum"),
        ("end", "Hiss"),
    ]


def test_events_lie_where_the_sound_was(make):
    daemon = make(ListSource("a", beeps("Hum")))
    daemon.run()
    event = daemon.sink.events[-1]
    assert event.onset == pytest.approx(1.0, abs=0.15)
    assert event.offset == pytest.approx(2.0, abs=0.15)


def test_sources_have_events_of_their_own(make):
    daemon = make(ListSource("a", beeps("Hum")), ListSource("b", beeps("Hiss")))
    daemon.run()
    assert daemon.sink.lives("a") == [("start", "Hum"), ("end", "Hum")]
    assert daemon.sink.lives("b") == [("start", "Hiss"), ("end", "Hiss")]


def test_a_source_that_fails_does_not_stop_the_other(make, caplog):
    failing = ListSource("bad", error=AudioError("no sound here"))
    daemon = make(failing, ListSource("good", beeps("Hum")))
    with pytest.raises(AudioError, match="no sound here"):
        daemon.run()
    assert daemon.sink.lives("good") == [("start", "Hum"), ("end", "Hum")]
    assert "source bad has failed: no sound here" in caplog.messages


def test_what_came_before_a_failure_is_reported(make):
    daemon = make(ListSource("a", beeps("Hum"), error=AudioError("unplugged")))
    with pytest.raises(AudioError):
        daemon.run()
    assert daemon.sink.lives() == [("start", "Hum"), ("end", "Hum")]


def test_a_bug_in_a_source_ends_the_run_with_it(make):
    healthy = ListSource("b", live=True, endless=True)
    with pytest.raises(ZeroDivisionError):
        make(ListSource("a", error=ZeroDivisionError()), healthy).run()
    assert healthy.closed.is_set()


def test_the_events_of_a_source_that_has_ended_end_while_others_go_on(make):
    others = ListSource("b", live=True, endless=True)
    daemon = make(ListSource("a", tone("Hum", 2)), others, clock=Clock())  # it stands still
    with Running(daemon):
        wait_until(lambda: daemon.sink.lives("a") == [("start", "Hum"), ("end", "Hum")])


def test_stop_ends_a_run_and_publishes_how_events_ended(make):
    daemon = make(ListSource("a", tone("Hum", 2), live=True, endless=True))
    with Running(daemon):
        wait_until(lambda: daemon.sink.events)
    assert daemon.sink.lives() == [("start", "Hum"), ("end", "Hum")]


def test_stop_does_not_wait_for_windows_that_are_due(make):
    engine = NumpyEngine(before=lambda: daemon.stop())
    daemon = make(ListSource("a", silence(6)), engine=engine)
    daemon.run()
    assert len(engine.batches) == 1


def test_stop_before_run_makes_it_return_at_once(make):
    engine = NumpyEngine()
    daemon = make(ListSource("a", silence(6)), engine=engine)
    daemon.stop()
    daemon.run()
    assert engine.batches == []


def test_every_source_is_closed_at_the_end(make):
    sources = [ListSource("a", silence(0.5)), ListSource("b", error=AudioError("x"))]
    with pytest.raises(AudioError):
        make(*sources).run()
    assert all(source.closed.is_set() for source in sources)


def test_a_slow_engine_drops_the_oldest_windows_of_live_sound(make, bundle, caplog):
    sound = beeps("Hum", "Hiss")
    source = ListSource("a", sound, live=True)
    # While the first batch is scored, all the rest of the sound arrives.
    engine = NumpyEngine(before=lambda: source.exhausted.wait(TIMEOUT))
    daemon = make(source, engine=engine)
    daemon.run()
    assert daemon.dropped_windows > 0
    assert daemon.dropped_windows + len(engine.seen) == windows_in(4)
    assert "the engine cannot keep up: 1 windows dropped so far" in caplog.text
    listener = Listener(Listening(bundle.fbank, bundle.frames, HOP))
    blocks = ListSource("a", sound, live=True).blocks()
    newest = [window for block in blocks for window in listener.feed(block)]
    newest += listener.slide_out()
    for found, window in zip(engine.seen[-MAX_DUE:], newest[-MAX_DUE:], strict=True):
        assert np.array_equal(found, window.fbank)


def test_a_slow_engine_drops_nothing_of_a_recording(make):
    source = ListSource("a", beeps("Hum", "Hiss"))
    engine = NumpyEngine(before=lambda: source.exhausted.wait(TIMEOUT))
    daemon = make(source, engine=engine)
    daemon.run()
    assert daemon.dropped_windows == 0
    assert sum(engine.batches) == windows_in(4)
    assert max(engine.batches) <= MAX_BATCH


def test_windows_of_several_sources_share_a_batch(make):
    sources = [ListSource(name, silence(2)) for name in "abc"]
    # Nothing is scored before all have read everything, which the inbox can hold.
    ready = [source.exhausted for source in sources]
    engine = NumpyEngine(before=lambda: [event.wait(TIMEOUT) for event in ready])
    make(*sources, engine=engine).run()
    assert sum(engine.batches) == 3 * windows_in(2)
    assert max(engine.batches) > 3


def test_the_events_of_a_live_source_that_falls_silent_end(make):
    clock = Clock()
    daemon = make(ListSource("a", tone("Hum", 2), live=True, endless=True), clock=clock)
    with Running(daemon):
        wait_until(lambda: daemon.sink.events)
        clock.advance()
        wait_until(lambda: daemon.sink.lives() == [("start", "Hum"), ("end", "Hum")])


class HaltingSource(ListSource):
    """Deliver half of the sound only when the engine has seen something of the first."""

    scored: threading.Event

    def blocks(self):
        for number, block in enumerate(super().blocks()):
            assert number != 15 or self.scored.wait(TIMEOUT)
            yield block


@pytest.mark.parametrize("live", [True, False])
def test_a_slow_engine_does_not_make_a_source_seem_silent(make, live):
    clock, source = Clock(), HaltingSource("a", tone("Hum", 3), live=live)
    source.scored = threading.Event()

    def be_slow():
        clock.advance()
        source.scored.set()
        # Meanwhile the source delivers the rest.
        assert source.exhausted.wait(TIMEOUT)

    daemon = make(source, engine=NumpyEngine(before=be_slow), clock=clock)
    daemon.run()
    assert daemon.sink.lives() == [("start", "Hum"), ("end", "Hum")]


def test_a_gap_ends_the_events_before_it(make):
    daemon = make(ListSource("a", tone("Hum", 1), tone("Hum", 1)))
    daemon.run()
    assert daemon.sink.lives() == [("start", "Hum"), ("end", "Hum")] * 2
    assert len({event.id for event in daemon.sink.events}) == 2


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e20, 3e38])
def test_samples_that_are_no_sound_hide_no_events_and_spoil_no_level(make, value):
    broken = beeps("Hum")
    broken[::5000] = value
    monitor = SourceMonitor({"a": "bands", "b": "bands"})
    sources = ListSource("a", broken, broken), ListSource("b", beeps("Hiss"))
    daemon = make(*sources, observers=[monitor])
    daemon.run()
    assert daemon.sink.lives("a") == [("start", "Hum"), ("end", "Hum")] * 2
    assert daemon.sink.lives("b") == [("start", "Hiss"), ("end", "Hiss")]
    assert monitor.read().sources["a"].bad_samples == 2 * len(broken[::5000])


class SickEngine(NumpyEngine):
    """Give something else than probabilities for the windows of these numbers."""

    def __init__(self, value, sick):
        super().__init__()
        self._value, self._sick = value, sick

    def run(self, fbank):
        first = len(self.seen)
        scores = super().run(fbank)
        for row in range(len(fbank)):
            if first + row in self._sick:
                scores.clip[row, -1] = self._value
        return scores


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1.5])
def test_scores_that_are_no_probabilities_start_nothing_and_the_daemon_goes_on(make, value, caplog):
    notes, engine = Notes(), SickEngine(value, sick=range(4, 9))
    daemon = make(ListSource("a", beeps("Hum")), engine=engine, observers=[notes])
    daemon.run()
    assert daemon.sink.lives() == [("start", "Hum"), ("end", "Hum")]
    assert all(0 <= event.score <= event.peak <= 1 for event in daemon.sink.events)
    assert daemon.unusable.total() == 5
    assert notes.windows == windows_in(3) - 5
    assert [m.startswith("the engine's scores are no probabilities") for m in caplog.messages] == [
        True
    ]


def test_an_engine_that_only_gives_what_is_no_probability_lets_the_watchdog_know(make):
    notes, engine = Notes(), SickEngine(np.nan, sick=range(1000))
    daemon = make(ListSource("a", beeps("Hum")), engine=engine, observers=[notes])
    daemon.run()
    assert (daemon.sink.events, notes.windows) == ([], 0)


def test_an_engine_that_fails_ends_the_run_with_its_error(make):
    def fail():
        raise RuntimeError("device lost")

    source = ListSource("a", beeps("Hum"), live=True, endless=True)
    with pytest.raises(RuntimeError, match="device lost"):
        make(source, engine=NumpyEngine(before=fail)).run()
    assert source.closed.is_set()


def test_no_sources_is_nothing_to_do(make):
    make().run()


# Observers and actions


class Notes:
    """Keeps what an observer is told."""

    def __init__(self):
        self.told = []
        self.windows = 0

    def heard(self, block):
        self.told.append(("heard", block.stream.source))

    def silent(self, source):
        self.told.append(("silent", source))

    def health(self, source, health):
        self.told.append(("health", source, health))

    def ended(self, source, error):
        self.told.append(("ended", source, error))

    def scored(self, windows, seconds, dropped):
        assert seconds >= 0
        self.windows += len(windows)


def test_observers_are_told_of_sound_scores_and_the_end(make):
    notes, engine = Notes(), NumpyEngine()
    make(ListSource("a", silence(0.5)), engine=engine, observers=[notes]).run()
    assert notes.told == [("heard", "a")] * 5 + [("ended", "a", None)]
    assert notes.windows == sum(engine.batches) > 0


def test_observers_are_told_of_a_live_source_that_falls_silent(make):
    notes, clock = Notes(), Clock()
    source = ListSource("a", silence(0.3), live=True, endless=True)
    with Running(make(source, observers=[notes], clock=clock)):
        wait_until(lambda: notes.told.count(("heard", "a")) == 3)
        clock.advance()
        wait_until(lambda: ("silent", "a") in notes.told)


def test_observers_are_told_of_the_health_of_a_source_when_it_changes(make):
    notes, source = Notes(), ListSource("a", silence(0.1), endless=True)
    source.health = OK
    with Running(make(source, observers=[notes])):
        wait_until(lambda: notes.told == [("heard", "a")])
        source.health = muted = Health("muted", "nothing but zeros")
        wait_until(lambda: notes.told[1:] == [("health", "a", muted)])
        source.health = OK
        wait_until(lambda: notes.told[2:] == [("health", "a", OK)])


def test_an_action_is_done_in_the_thread_of_run_and_its_events_are_published(make):
    source = ListSource("a", silence(0.1), endless=True)
    daemon, threads = make(source), []

    def act():
        threads.append(threading.current_thread())
        return ["an event"]

    with Running(daemon) as running:
        daemon.submit(act)
        wait_until(lambda: daemon.sink.events == ["an event"])
        assert threads == [running._thread]
