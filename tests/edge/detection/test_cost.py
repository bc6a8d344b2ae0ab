"""What a hop may cost, counted and not timed: frames, threads, calls, labels, memory."""

import gc
import subprocess
import sys
import threading
import tracemalloc
from dataclasses import replace
from datetime import timezone

import numpy as np
import pytest

from ast_edge.app.daemon import Daemon
from ast_edge.audio.stream import Block, Stream
from ast_edge.detection.groups import Group
from ast_edge.detection.hearing import Hearing
from ast_edge.detection.pipeline import Pipeline
from ast_edge.detection.rules import Rule
from ast_edge.detection.schedule import Schedule, parse_period
from ast_edge.engines.choice import open_engine
from ast_edge.engines.config import EngineConfig
from ast_edge.frontend import fbank
from ast_edge.frontend.due_windows import MAX_BATCH
from ast_edge.frontend.fbank import FbankSpec
from ast_edge.frontend.listener import Listener, Window
from ast_edge.frontend.listening import Listening
from ast_edge.model.bundle import find_bundle, load_bundle
from ast_edge.model.label import Label
from ast_edge.model.label_settings import TrackerSettings

SPEC = FbankSpec()
FRAMES = 1024
"""The window of AudioSet models."""
WINDOW_BYTES = FRAMES * SPEC.mel_bins * 4
BLOCK = 1600
TIMEOUT = 30.0


def blocks(seconds, size=BLOCK):
    """Noise as a source at the model's rate delivers it, made before anything is measured."""
    stream = Stream("mic", SPEC.sample_rate, 1, 0.0, live=True)
    sound = np.random.default_rng(1).normal(0, 0.1, (round(seconds * SPEC.sample_rate), 1))
    sound = sound.astype(np.float32)
    return [Block(stream, n, sound[n : n + size]) for n in range(0, len(sound), size)]


# Frames


@pytest.mark.parametrize("hop", [0.1, 0.25, 0.5, 1.0, 3.0])
@pytest.mark.parametrize("size", [160, 1600, 7919])
def test_each_frame_is_computed_once_whatever_the_hop_and_the_blocks(monkeypatch, hop, size):
    computed, original = [], fbank.fbank

    def counting(waveform, spec):
        frames = original(waveform, spec)
        computed.append(len(frames))
        return frames

    monkeypatch.setattr(fbank, "fbank", counting)
    listener = Listener(Listening(SPEC, FRAMES, hop))
    heard = blocks(7.3, size)
    for block in heard:
        listener.feed(block)
    listener.flush()
    assert sum(computed) == SPEC.frames_in(sum(len(block.samples) for block in heard))


def test_the_frames_of_a_hop_are_computed_in_one_call(monkeypatch):
    calls, original = [], fbank.fbank

    def counting(waveform, spec):
        frames = original(waveform, spec)
        calls.append(len(frames))
        return frames

    monkeypatch.setattr(fbank, "fbank", counting)
    listener = Listener(Listening(SPEC, FRAMES, 0.5))
    for block in blocks(5.2, 160):
        listener.feed(block)
    assert calls == [50] * 10


# Threads

THREADS_OF_A_PRODUCT = """
import ast_edge.cli.main, os, numpy
numpy.ones((1000, 1000)) @ numpy.ones((1000, 1000))
print(len(os.listdir("/proc/self/task")))
"""


def test_numpy_computes_in_the_thread_that_asks_and_in_no_other():
    command = [sys.executable, "-c", THREADS_OF_A_PRODUCT]
    result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert result.stdout.strip() == "1"


# Calls of the engine


class Together:
    """A live source that delivers a hop of sound at a sign, and says that it has."""

    def __init__(self, name, sign):
        self.name, self._sign = name, sign
        self.delivered, self._closed = threading.Event(), threading.Event()

    def blocks(self):
        assert self._sign.wait(TIMEOUT)
        stream = Stream(self.name, SPEC.sample_rate, 1, 0.0, live=True)
        hop = np.zeros((SPEC.samples_in(50), 1), np.float32)
        yield Block(stream, 0, hop)
        self.delivered.set()
        assert self._closed.wait(TIMEOUT)

    def close(self):
        self._closed.set()


class Engine:
    """A real engine that notes its calls; during the first all sources deliver their sound."""

    def __init__(self, bundle, others, sign):
        self._engine = open_engine(bundle, EngineConfig(name="openvino", threads=1))
        self._others, self._sign = others, sign
        self.batches, self.daemon = [], None

    def run(self, windows):
        if not self.batches:
            self._sign.set()
            assert all(source.delivered.wait(TIMEOUT) for source in self._others)
        self.batches.append(len(windows))
        if sum(self.batches) == 1 + len(self._others):
            self.daemon.stop()
        return self._engine.run(windows)

    def close(self):
        self._engine.close()


def test_windows_that_are_due_together_take_one_call_for_each_full_batch(tiny_model):
    bundle = load_bundle(tiny_model)
    now, later = threading.Event(), threading.Event()
    now.set()
    sources = [Together(f"mic{number}", later) for number in range(2 * MAX_BATCH)]
    first = Together("first", now)
    engine = Engine(bundle, sources, later)
    pipelines = {
        source.name: Pipeline(source.name, Hearing(bundle, bundle.settings, hop=0.5))
        for source in [first, *sources]
    }
    # A clock that stands still: however slow the machine, sound is taken until there is none.
    engine.daemon = Daemon(
        [first, *sources], pipelines, {bundle.folder: engine}, [], clock=lambda: 0.0
    )
    engine.daemon.run()
    engine.close()
    assert engine.batches == [1, MAX_BATCH, MAX_BATCH]


# Labels

MANY = 527
"""As many as AudioSet has."""
ASKED = set()


class Asked(Label):
    """A label that notes when anything is asked of it: its column, its name or its hash."""

    def __getattribute__(self, name):
        if not name.startswith("__"):
            ASKED.add(object.__getattribute__(self, "index"))
        return super().__getattribute__(name)


@pytest.fixture
def asked():
    """Return what feeds the scores of many labels, all in one group and with hours, a step each.

    It tells which labels the newest of the steps has asked something of.
    """
    labels = tuple(Asked(index, f"Label {index}", "") for index in range(MANY))
    settings = dict.fromkeys(labels, TrackerSettings(on=0.5, off=0.3, hold=1.0))
    bundle = replace(
        load_bundle(find_bundle("home")), labels=labels, settings=settings, frame="none"
    )
    group = Group(MANY, "Any", "", labels, "max")
    hours = Schedule((parse_period("00:00-24:00"),), timezone.utc)
    rules = {label: Rule(hours, labels[-1:]) for label in labels[:-1]}
    pipeline = Pipeline(
        "mic",
        Hearing(bundle, {**settings, group: TrackerSettings()}, hop=0.5, rules=rules),
        new_id=lambda: "id",
    )
    stream = Stream("mic", SPEC.sample_rate, 1, 1_700_000_000.0, live=True)

    def feed(steps):
        events = []
        for number, heard in enumerate(steps, 1):
            scores = np.full(MANY, 0.2, np.float32)
            scores[list(heard)] = 0.9
            end = 0.5 * number
            ASKED.clear()
            events += pipeline.score(Window(stream, end - 4, end, 0.5, end, scores), scores)
        return ASKED.copy(), [event.phase for event in events]

    return feed


def test_a_step_that_shows_nothing_asks_nothing_of_any_label(asked):
    assert asked([()] * 3) == (set(), [])


def test_a_step_asks_the_labels_that_it_shows_and_no_other(asked):
    assert asked([(), (3, 70)]) == ({3, 70}, ["start"] * 3)


def test_a_step_asks_the_labels_with_an_event_and_no_other_until_it_ends(asked):
    assert asked([(3, 70), ()])[0] == {3, 70}
    found, phases = asked([(3, 70), *[()] * 20])
    assert (found, phases[-3:]) == (set(), ["end"] * 3)


def test_a_sound_that_bars_all_labels_is_asked_alone(asked):
    assert asked([(), (MANY - 1,)])[0] == {MANY - 1}


def operations(work):
    """Return how many instructions of Python a call takes."""
    count = 0

    def trace(frame, event, _):
        nonlocal count
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    gc.collect()
    gc.disable()  # those whom a collection calls back, as hypothesis does, would be counted
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
        gc.enable()
    return count


def steps_of(labels, heard, frames=0):
    """Return what each of five steps takes that show so many of the labels, group and hours too."""
    bundle = load_bundle(find_bundle("home"))
    labels = tuple(Label(index, f"Label {index}", "") for index in range(labels))
    settings = dict.fromkeys(labels, TrackerSettings(on=0.5, off=0.3))
    bundle = replace(bundle, labels=labels, settings=settings, frame="head" if frames else "none")
    hours = Schedule((parse_period("00:00-24:00"),), timezone.utc)
    rules = {label: Rule(hours) for label in labels}
    pipeline = Pipeline("mic", Hearing(bundle, settings, 0.5, rules=rules), new_id=lambda: "id")
    stream = Stream("mic", SPEC.sample_rate, 1, 1_700_000_000.0, live=True)
    scores = np.full(len(labels), 0.2, np.float32)
    scores[:heard] = 0.9
    found = []
    for number in range(1, 6):
        end = 0.5 * number
        window = Window(stream, end - 4, end, 0.5, end, scores)
        frame = np.tile(scores, (frames, 1)) if frames else None
        found.append(operations(lambda w=window, f=frame: pipeline.score(w, scores, f)))
    return found


@pytest.mark.parametrize("frames", [0, 100], ids=["a clip's scores", "scores of steps"])
@pytest.mark.parametrize("heard", [0, 2])
def test_what_a_step_takes_does_not_grow_with_the_labels(heard, frames):
    few, many = steps_of(50, heard, frames), steps_of(MANY, heard, frames)
    assert many[1:] == few[1:]
    assert few[-1] > 50  # something was counted


def test_what_a_step_takes_grows_with_what_is_heard():
    assert steps_of(MANY, 20)[-1] > 2 * steps_of(MANY, 2)[-1]


# Memory


@pytest.fixture
def heard():
    """Return a listener that has heard ten hops and a minute to follow; allocations are traced."""
    listener, sound = Listener(Listening(SPEC, FRAMES, 0.5)), blocks(65)
    for block in sound[:50]:
        listener.feed(block)
    tracemalloc.start()
    yield listener, sound[50:]
    tracemalloc.stop()


def feed(listener, block):
    """Return the most bytes that are in use meanwhile, and whether a window was completed."""
    before, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    windows = listener.feed(block)
    return tracemalloc.get_traced_memory()[1] - before, bool(windows)


def test_a_hop_takes_the_window_that_is_handed_out_and_room_to_slide_it(heard):
    listener, sound = heard
    peaks = [peak for peak, completes in (feed(listener, block) for block in sound) if completes]
    assert max(peaks) < 2.5 * WINDOW_BYTES


def test_a_block_that_completes_no_window_takes_nothing_of_its_size(heard):
    listener, sound = heard
    peaks = [peak for peak, done in (feed(listener, block) for block in sound) if not done]
    assert max(peaks) < WINDOW_BYTES / 10


def test_nothing_stays_of_the_sound_of_a_minute(heard):
    listener, sound = heard
    hop = 5  # blocks
    for block in sound[: 2 * hop]:  # what was there before it was traced goes
        listener.feed(block)
    before, _ = tracemalloc.get_traced_memory()
    for block in sound[2 * hop :]:
        listener.feed(block)
    assert tracemalloc.get_traced_memory()[0] - before < WINDOW_BYTES / 20
