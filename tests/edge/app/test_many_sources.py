"""Sixteen recordings and broken sources in one daemon: nobody waits for anybody."""

import threading
import time
from collections import Counter

import numpy as np
import pytest
import soundfile

from ast_edge.app.daemon import Daemon
from ast_edge.audio.stream import Block, Stream
from ast_edge.base.errors import AudioError
from ast_edge.detection.hearing import Hearing
from ast_edge.detection.pipeline import Pipeline
from ast_edge.engines.choice import open_engine
from ast_edge.engines.config import EngineConfig
from ast_edge.frontend.due_windows import MAX_BATCH
from ast_edge.frontend.gate import GateSettings
from ast_edge.model.bundle import load_bundle
from ast_edge.sources.child_source import ChildSource
from ast_edge.sources.recording import RecordingSource

pytest.importorskip("onnx", reason="onnx is not installed")
from rigs.daemon_parts import ListSource
from rigs.model import LABELS, RATE, silence, tone
from rigs.mosquitto import wait_until

HOP = 0.1
TIMEOUT = 30.0
SOURCES = 16


class ListSink:
    def __init__(self):
        self.events = []

    def publish(self, event):
        self.events.append(event)

    def close(self):
        pass

    def lives(self, source):
        return [
            (e.phase, e.label.name, round(e.onset, 3), round(e.offset, 3))
            for e in self.events
            if e.source == source
        ]


class Engine:
    """A real engine that counts what it is given, and takes its time."""

    def __init__(self, bundle, seconds=0.0):
        self._engine = open_engine(bundle, EngineConfig(name="openvino", threads=1))
        self._seconds = seconds
        self.batches = []

    def run(self, fbank):
        time.sleep(self._seconds)
        self.batches.append(len(fbank))
        return self._engine.run(fbank)

    def close(self):
        self._engine.close()


class BrokenSource:
    """A source that is there, sounds for a second as fast as asked, and then does `then`."""

    def __init__(self, name, then, live=True):
        self.name = name
        self.closed = threading.Event()
        self._then, self._live = then, live

    def blocks(self):
        stream = Stream(self.name, RATE, 1, time.time(), live=self._live)
        for number in range(10):
            yield Block(stream, number * 1600, tone("Hum", 0.1)[:, np.newaxis])
        self._then(self)

    def close(self):
        self.closed.set()


def fail(source):
    raise AudioError("unplugged")


def hang(source):
    assert source.closed.wait(TIMEOUT), "was never closed"


@pytest.fixture(scope="module")
def bundle(tiny_model):
    return load_bundle(tiny_model)


@pytest.fixture
def recordings(tmp_path):
    """The paths of sixteen WAV files, each with its own sound at its own time."""
    paths = {}
    for number in range(SOURCES):
        sound = [silence(1 + number / 10), tone(LABELS[number % 2], 1 + number / 20), silence(1.5)]
        paths[f"room{number}"] = tmp_path / f"{number}.wav"
        soundfile.write(paths[f"room{number}"], np.concatenate(sound), RATE)
    return paths


def sources_of(paths, pace="fast"):
    return [RecordingSource(name, path, pace, started_at=0.0) for name, path in paths.items()]


def make_daemon(bundle, sources, engine, observers=(), **options):
    pipelines = {
        s.name: Pipeline(s.name, Hearing(bundle, bundle.settings, HOP, **options)) for s in sources
    }
    daemon = Daemon(
        sources, pipelines, {bundle.folder: engine}, [sink := ListSink()], observers=observers
    )
    return daemon, sink


@pytest.fixture
def alone(bundle, recordings):
    """What each recording gives in a daemon of its own."""
    found = {}
    for source in sources_of(recordings):
        daemon, sink = make_daemon(bundle, [source], Engine(bundle))
        daemon.run()
        found[source.name] = sink.lives(source.name)
    return found


def test_sixteen_recordings_give_what_each_gives_alone(bundle, recordings, alone):
    engine = Engine(bundle)
    daemon, sink = make_daemon(bundle, sources_of(recordings), engine)
    daemon.run()
    assert {name: sink.lives(name) for name in recordings} == alone
    assert all(lives for lives in alone.values())
    assert daemon.dropped_windows == 0
    assert max(engine.batches) == MAX_BATCH  # of several sources: one alone has a window a block


@pytest.mark.parametrize("then", [fail, hang], ids=["fails", "hangs"])
@pytest.mark.parametrize("live", [True, False], ids=["live", "recorded"])
def test_a_broken_source_delays_no_other(bundle, recordings, alone, then, live):
    broken = [BrokenSource(f"broken{number}", then, live=live) for number in range(3)]
    daemon, sink = make_daemon(bundle, [*broken, *sources_of(recordings)], Engine(bundle))
    errors = []

    def run():
        try:
            daemon.run()
        except AudioError as exc:
            errors.append(exc)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        wait_until(lambda: all(sink.lives(n) == alone[n] for n in recordings), TIMEOUT)
    finally:
        daemon.stop()
        thread.join(TIMEOUT)
    assert not thread.is_alive()
    assert len(errors) == (then is fail)


def test_a_source_that_is_opened_again_and_again_delays_no_other(bundle, recordings, alone):
    absent = ChildSource("absent", "the camera", ["no-such-program"])
    daemon, sink = make_daemon(bundle, [absent, *sources_of(recordings)], Engine(bundle))
    thread = threading.Thread(target=daemon.run)
    thread.start()
    try:
        wait_until(lambda: all(sink.lives(n) == alone[n] for n in recordings), TIMEOUT)
    finally:
        daemon.stop()
        thread.join(TIMEOUT)
    assert absent.health.condition == "waiting"


class Notes:
    """Counts what the daemon says that it has heard and scored."""

    def __init__(self):
        self.samples = self.windows = 0

    def heard(self, block):
        self.samples += len(block.samples)

    def scored(self, windows, seconds, dropped):
        self.windows += len(windows)

    def silent(self, source):
        raise AssertionError("it was the engine that took so long")

    def health(self, source, health):
        raise AssertionError("a recording says nothing of its health")

    def ended(self, source, error):
        assert error is None


@pytest.mark.slow
def test_an_engine_that_is_too_slow_drops_windows_and_hears_all_sounds(bundle, recordings):
    paths, notes = dict(list(recordings.items())[:4]), Notes()
    # 40 windows a second are due; 8 every half a second can be scored.
    engine = Engine(bundle, seconds=0.5)
    daemon, sink = make_daemon(bundle, sources_of(paths, "realtime"), engine, observers=[notes])
    daemon.run()
    sound = [len(soundfile.read(path)[0]) for path in paths.values()]
    slid_out = len(paths) * round(bundle.window_seconds / HOP)
    assert notes.samples == sum(sound)
    assert daemon.dropped_windows > slid_out
    assert notes.windows + daemon.dropped_windows >= sum(sound) // round(RATE * HOP)
    assert [{e.label.name for e in sink.events if e.source == name} for name in paths] == [
        {LABELS[number % 2]} for number in range(len(paths))
    ]


class Choir:
    """Live sources that all sound for a hop more whenever the engine runs."""

    def __init__(self, bundle, sources, hops):
        self.sources = [Singer(f"room{number}", self, hops) for number in range(sources)]
        self._barrier = threading.Barrier(sources + 1)
        self._engine, self._hops = Engine(bundle), hops

    def wait(self):
        self._barrier.wait(TIMEOUT)

    def run(self, fbank):
        if self._hops > 0:
            self._hops -= 1
            self.wait()
        return self._engine.run(fbank)


class Singer:
    def __init__(self, name, choir, hops):
        self.name = name
        self._choir, self._hops = choir, hops

    def blocks(self):
        stream = Stream(self.name, RATE, 1, time.time(), live=True)
        for number in range(2 + self._hops):
            if number >= 2:  # so much completes the first window
                self._choir.wait()
            yield Block(stream, number * 1600, tone("Hum", 0.1)[:, np.newaxis])

    def close(self):
        pass


class Score(Notes):
    """Counts the sources that the daemon hears and looks at, until the choir has ended."""

    def __init__(self):
        super().__init__()
        self.sources, self._over = Counter(), False

    def scored(self, windows, seconds, dropped):
        if not self._over:
            self.sources.update(window.stream.source for window in windows)

    def ended(self, source, error):
        self._over = True


def test_an_engine_that_is_too_slow_for_many_sources_drops_windows_of_each(bundle):
    choir, score = Choir(bundle, sources=32, hops=20), Score()
    daemon, _ = make_daemon(bundle, choir.sources, choir, observers=[score])
    daemon.run()
    assert score.samples == 32 * 22 * 1600
    assert all(daemon.dropped[source.name] > 0 for source in choir.sources)


def test_an_engine_that_is_too_slow_for_many_sources_serves_each_of_them(bundle):
    choir, score = Choir(bundle, sources=32, hops=20), Score()
    daemon, _ = make_daemon(bundle, choir.sources, choir, observers=[score])
    daemon.run()
    counts = [score.sources[source.name] for source in choir.sources]
    assert max(counts) - min(counts) <= 4 < min(counts)


def test_with_a_gate_the_engine_looks_at_what_is_loud_only(bundle, recordings, alone):
    engine = Engine(bundle)
    gate = GateSettings(level=-60)
    daemon, sink = make_daemon(bundle, sources_of(recordings), engine, gate=gate)
    daemon.run()
    assert {name: sink.lives(name) for name in recordings} == alone
    assert daemon.skipped_windows > sum(engine.batches) / 4


def test_with_an_idle_hop_the_same_is_found_in_fewer_windows(bundle, recordings, alone):
    engine = Engine(bundle)
    daemon, sink = make_daemon(bundle, sources_of(recordings), engine, idle_hop=0.9)
    daemon.run()
    assert {name: sink.lives(name) for name in recordings} == alone
    assert daemon.skipped_windows > sum(engine.batches) / 10


@pytest.mark.parametrize(
    "options",
    [{"gate": GateSettings(level=-60)}, {"gate": GateSettings(above_floor=20)}, {"idle_hop": 0.9}],
    ids=["gate", "floor", "idle"],
)
@pytest.mark.parametrize("framed", [False, True], ids=["clip", "frame"])
def test_what_is_due_together_changes_nothing(
    bundle, framed_model, recordings, options, framed, monkeypatch
):
    used, found = load_bundle(framed_model) if framed else bundle, []
    some = dict([*recordings.items()][:3])
    for size in (1, 8):
        monkeypatch.setattr("ast_edge.frontend.due_windows.MAX_BATCH", size)
        daemon, sink = make_daemon(used, sources_of(some), Engine(used), **options)
        daemon.run()
        found.append(({name: sink.lives(name) for name in some}, daemon.skipped_windows))
    assert found[0] == found[1]
    assert found[0][1] > 0


class Busy(Engine):
    """An engine whose first batch takes until all sources have said all they have to say."""

    def __init__(self, bundle, sources):
        super().__init__(bundle)
        self._sources = sources

    def run(self, fbank):
        assert self.batches or all(source.exhausted.wait(TIMEOUT) for source in self._sources)
        return super().run(fbank)


def test_while_the_engine_looks_at_a_window_all_live_sound_is_taken(bundle):
    # Of each as much as a microphone's process keeps, and more; together far more.
    sources = [ListSource(f"room{n}", silence(20.0), live=True) for n in range(8)]
    score = Score()
    daemon, _ = make_daemon(bundle, sources, Busy(bundle, sources), observers=[score])
    daemon.run()
    assert score.samples == 8 * 20 * RATE


def test_live_sound_does_not_wait_behind_recordings(bundle):
    heard, heard_by = Counter(), []

    class Ear(Score):
        def heard(self, block):
            heard[block.stream.source] += 1

    class Attentive(Busy):
        def run(self, fbank):
            heard_by.append(heard["live"])
            return super().run(fbank)

    live, recorded = ListSource("live", silence(3.0), live=True), ListSource("file", silence(30.0))
    daemon, _ = make_daemon(bundle, [recorded, live], Attentive(bundle, [live]), observers=[Ear()])
    daemon.run()
    assert heard_by[1] == 30
