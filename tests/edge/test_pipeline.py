import numpy as np
import pytest

from ast_edge.audio import Block, Stream
from ast_edge.bundle import load_bundle
from ast_edge.engine import Scores
from ast_edge.listener import Listener
from ast_edge.pipeline import Pipeline, new_id, score_recording

pytest.importorskip("onnx", reason="onnx is not installed")
from rigs.model import RATE, scores, silence, tone


class ArraySource:
    name = "array"

    def __init__(self, samples, started_at=0.0, block=1600):
        self._samples = samples
        self._stream = Stream("array", RATE, 1, started_at, live=False)
        self._block = block

    def blocks(self):
        for start in range(0, len(self._samples), self._block):
            samples = self._samples[start : start + self._block, np.newaxis]
            yield Block(self._stream, start, samples)

    def close(self):
        pass


class NumpyEngine:
    description = "NumPy"

    def __init__(self):
        self.batches = []

    def run(self, fbank):
        self.batches.append(len(fbank))
        return Scores(scores(fbank).astype(np.float32))


@pytest.fixture(scope="module")
def bundle(tiny_model):
    return load_bundle(tiny_model)


@pytest.fixture
def detect(bundle):
    def detect(source, hop=0.1):
        pipeline = Pipeline("array", bundle, bundle.settings, hop)
        events = []
        for window, probabilities in score_recording(source, pipeline, NumpyEngine()):
            events += pipeline.score(window, probabilities)
        return events + pipeline.finish()

    return detect


SOUND = np.concatenate([silence(1.5), tone("Hum", 0.7), silence(2.0)])


@pytest.mark.parametrize("hop", [0.05, 0.1, 0.25, 0.5])
def test_an_event_lies_where_the_sound_was_to_a_hop_and_a_frame(detect, hop):
    start, *_, end = detect(ArraySource(SOUND), hop)
    assert (start.phase, end.phase) == ("start", "end")
    assert start.onset == pytest.approx(1.5, abs=hop + 0.025)
    assert end.offset == pytest.approx(2.2, abs=hop + 0.025)


@pytest.mark.parametrize("hop", [0.05, 0.1, 0.25])
def test_a_sound_that_lasts_to_the_end_of_the_recording_ends_there(detect, hop):
    *_, end = detect(ArraySource(np.concatenate([silence(1.0), tone("Hum", 3.0)])), hop)
    assert end.offset == pytest.approx(4.0, abs=hop + 0.025)


def test_event_times_count_from_the_first_sample(detect):
    early, late = (detect(ArraySource(SOUND, t))[-1] for t in (0.0, 1_700_000_000.25))
    assert late.onset - early.onset == pytest.approx(1_700_000_000.25, abs=1e-5)
    assert late.offset - early.offset == pytest.approx(1_700_000_000.25, abs=1e-5)


@pytest.mark.parametrize("block", [100, 1601, 10**6])
def test_any_cutting_gives_the_same_events(detect, block):
    def times(events):
        return [(e.phase, e.label.name, e.onset, e.offset) for e in events]

    assert times(detect(ArraySource(SOUND, block=block))) == times(detect(ArraySource(SOUND)))


def test_the_windows_of_a_recording_are_scored_in_batches_and_in_order(bundle):
    engine, listener = NumpyEngine(), Listener(bundle.fbank, bundle.frames, 0.1)
    found = list(score_recording(ArraySource(SOUND), listener, engine, batch=16))
    ends = [window.end for window, _ in found]
    assert ends == sorted(ends)
    assert engine.batches == [16, 16, len(found) - 32]


def test_a_recording_without_a_window_needs_no_engine(bundle):
    engine, listener = NumpyEngine(), Listener(bundle.fbank, bundle.frames, 0.1)
    assert list(score_recording(ArraySource(silence(0.01)), listener, engine)) == []
    assert engine.batches == []


def test_ids_are_never_the_same():
    assert len({new_id() for _ in range(1000)}) == 1000


def test_a_sound_found_only_after_the_recording_has_ended_has_a_length(bundle):
    pipeline = Pipeline("array", bundle, bundle.settings, 0.1)
    *_, last = score_recording(ArraySource(silence(1.0)), pipeline, NumpyEngine())
    sure = np.ones(len(bundle.labels), np.float32)
    events = pipeline.score(last[0], sure) + pipeline.finish()
    assert all(0.05 <= event.duration <= 0.1 for event in events)
    assert events
