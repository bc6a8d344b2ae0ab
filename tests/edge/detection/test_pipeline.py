from dataclasses import replace

import numpy as np
import pytest

from ast_edge.audio.stream import Block, Stream
from ast_edge.detection.groups import Group
from ast_edge.detection.hearing import Hearing
from ast_edge.detection.pipeline import Pipeline, new_id, score_recording
from ast_edge.detection.rules import Rule
from ast_edge.engines.engine import Scores
from ast_edge.frontend.gate import GateSettings
from ast_edge.frontend.listener import Listener
from ast_edge.frontend.listening import Listening
from ast_edge.model.bundle import load_bundle
from ast_edge.model.label_settings import TrackerSettings

pytest.importorskip("onnx", reason="onnx is not installed")
from rigs.model import PATCH, RATE, scores, silence, step_scores, tone


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
        steps = step_scores(fbank).astype(np.float32)
        return Scores(scores(fbank).astype(np.float32), steps)


@pytest.fixture(scope="module")
def bundle(tiny_model):
    return load_bundle(tiny_model)


@pytest.fixture
def detect(bundle):
    def detect(source, hop=0.1, settings=bundle.settings, rules=None):
        pipeline = Pipeline("array", Hearing(bundle, settings, hop, rules=rules or {}))
        events = []
        for window, clip, frame in score_recording(source, pipeline, NumpyEngine()):
            events += pipeline.score(window, clip, frame)
        return events + pipeline.finish()

    return detect


SOUND = np.concatenate([silence(1.5), tone("Hum", 0.7), silence(2.0)])


@pytest.mark.parametrize("hop", [0.05, 0.1, 0.25, 0.5])
def test_an_event_lies_where_the_sound_was_to_a_hop_and_a_frame(detect, hop):
    start, *_, end = detect(ArraySource(SOUND), hop)
    assert (start.phase, end.phase) == ("start", "end")
    assert start.onset == pytest.approx(1.5, abs=hop + 0.025)
    assert end.offset == pytest.approx(2.2, abs=hop + 0.025)


def test_an_event_says_which_bundle_has_heard_it(detect):
    assert {event.bundle for event in detect(ArraySource(SOUND))} == {"bands"}


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
    engine, listener = NumpyEngine(), Listener(Listening(bundle.fbank, bundle.frames, 0.1))
    found = list(score_recording(ArraySource(SOUND), listener, engine, batch=16))
    ends = [window.end for window, *_ in found]
    assert ends == sorted(ends)
    assert engine.batches == [16, 16, len(found) - 32]


def test_a_recording_without_a_window_needs_no_engine(bundle):
    engine, listener = NumpyEngine(), Listener(Listening(bundle.fbank, bundle.frames, 0.1))
    assert list(score_recording(ArraySource(silence(0.01)), listener, engine)) == []
    assert engine.batches == []


def test_ids_are_never_the_same():
    assert len({new_id() for _ in range(1000)}) == 1000


def test_a_sound_found_only_after_the_recording_has_ended_has_a_length(bundle):
    pipeline = Pipeline("array", Hearing(bundle, bundle.settings, 0.1))
    *_, last = score_recording(ArraySource(silence(1.0)), pipeline, NumpyEngine())
    sure = np.ones(len(bundle.labels), np.float32)
    events = pipeline.score(last[0], sure) + pipeline.finish()
    assert all(0.05 <= event.duration <= 0.1 for event in events)
    assert events


BOTH = np.concatenate([silence(1.0), tone("Hum", 0.7), silence(2.0), tone("Hiss", 0.7)])


def found(events):
    return [e.label.name for e in events if e.phase == "start"]


@pytest.fixture
def tone_group(bundle):
    return Group(len(bundle.labels), "Tone", "", bundle.labels, "max")


def test_a_group_has_events_where_its_members_have(detect, bundle, tone_group):
    hum, hiss = bundle.labels
    settings = {**bundle.settings, tone_group: bundle.settings[hum]}
    events = detect(ArraySource(BOTH), settings=settings)
    times = {
        label: [(e.onset, e.offset) for e in events if e.label == label and e.phase == "end"]
        for label in settings
    }
    assert len(times[hum]) == len(times[hiss]) == 1
    assert times[tone_group] == times[hum] + times[hiss]


def test_no_event_begins_while_a_sound_that_is_not_reported_itself_is_heard(detect, bundle):
    hum, hiss = bundle.labels
    sounds = [silence(1), tone("Hum", 2.0) + tone("Hiss", 2.0), silence(2), tone("Hiss", 1)]
    only_hiss = {hiss: bundle.settings[hiss]}
    without = detect(ArraySource(np.concatenate(sounds)), settings=only_hiss)
    rules = {hiss: Rule(suppress_while=(hum,))}
    suppressed = detect(ArraySource(np.concatenate(sounds)), settings=only_hiss, rules=rules)
    assert found(without) == ["Hiss", "Hiss"]
    assert suppressed[0].onset == pytest.approx(5.0, abs=0.2)
    assert found(suppressed) == ["Hiss"]


def test_a_gap_in_the_sound_ends_what_suppresses_others(bundle):
    hum, hiss = bundle.labels
    rules = {hiss: Rule(suppress_while=(hum,))}
    pipeline = Pipeline("a", Hearing(bundle, bundle.settings, 0.1, rules=rules))
    ((before, *_),) = list(_first_windows(pipeline))
    ((after, *_),) = list(_first_windows(pipeline))
    assert found(pipeline.score(before, np.array([1, 0], np.float32))) == ["Hum"]
    assert found(pipeline.score(after, np.array([0, 1], np.float32))) == ["Hiss"]


def _first_windows(pipeline):
    """Score a window of a new stream of silence."""
    return list(score_recording(ArraySource(silence(1.0)), pipeline, NumpyEngine()))[:1]


def test_live_settings_hold_for_events_and_for_what_they_suppress(bundle):
    hum, hiss = bundle.labels
    rules = {hiss: Rule(suppress_while=(hum,))}
    pipeline = Pipeline("a", Hearing(bundle, bundle.settings, 0.1, rules=rules))
    ((window, *_),) = _first_windows(pipeline)
    pipeline.set_settings(hum, TrackerSettings(on=0.99, off=0.98))
    assert found(pipeline.score(window, np.array([0.9, 0.9], np.float32))) == ["Hiss"]


def test_a_label_that_is_disabled_has_no_events_but_its_group_has(bundle, tone_group):
    hum, _ = bundle.labels
    settings = {**bundle.settings, tone_group: bundle.settings[hum]}
    pipeline = Pipeline("a", Hearing(bundle, settings, 0.1))
    ((window, *_),) = _first_windows(pipeline)
    sure = np.array([1, 0], np.float32)
    assert found(pipeline.score(window, sure)) == ["Hum", "Tone"]
    assert [e.label.name for e in pipeline.set_enabled([tone_group])] == ["Hum"]
    assert pipeline.score(window, sure) == []
    assert [e.label.name for e in pipeline.finish()] == ["Tone"]


def test_a_quiet_window_may_be_skipped_unless_an_event_runs(bundle):
    pipeline = Pipeline("s", Hearing(bundle, bundle.settings, 0.1, gate=GateSettings(level=-40)))
    stream = Stream("s", RATE, 1, 0.0, live=False)
    sound = np.concatenate([silence(2), tone("Hum", 1), silence(3)])[:, np.newaxis]
    lives, skipped = [], []
    for window in pipeline.feed(Block(stream, 0, sound)):
        if pipeline.may_skip(window):
            skipped.append(window.end)
            lives += pipeline.skip(window)
        else:
            lives += pipeline.score(window, scores(window.fbank[np.newaxis])[0])
    assert [event.phase for event in lives] == ["start", "end"]
    # The event is given up half a second after its end has left the window of a second.
    assert max(end for end in skipped if end < 3) < 2.0 + 0.02
    assert min(end for end in skipped if end > 3) > 4.0


def test_what_has_not_become_an_event_is_forgotten_when_it_is_quiet(bundle):
    settings = dict.fromkeys(bundle.settings, TrackerSettings(on=0.9, off=0.3))
    pipeline = Pipeline("s", Hearing(bundle, settings, 0.1, gate=GateSettings(level=-40)))
    stream = Stream("s", RATE, 1, 0.0, live=False)
    first, second, third = pipeline.feed(Block(stream, 0, silence(0.4)[:, np.newaxis]))[:3]
    half, full = np.array([0.5, 0.5], np.float32), np.array([1.0, 1.0], np.float32)
    assert pipeline.score(first, half) == pipeline.skip(second) == []
    assert {e.onset for e in pipeline.score(third, full)} == {third.heard - third.hop}


def idle_times(bundle, sound, idle_hop, latency=0.3):
    """Return the events of a sound, and where the windows end that were not looked at."""
    pipeline = Pipeline(
        "s", Hearing(bundle, bundle.settings, 0.1, idle_hop=idle_hop, latency=latency)
    )
    stream, lives, skipped = Stream("s", RATE, 1, 0.0, live=False), [], []
    for window in pipeline.feed(Block(stream, 0, sound[:, np.newaxis])) + pipeline.flush():
        if pipeline.may_skip(window):
            skipped.append(window.end)
            lives += pipeline.skip(window)
        else:
            found = NumpyEngine().run(window.fbank[np.newaxis])
            lives += pipeline.score(window, *next(found.each()))
    lives += pipeline.finish()
    return [(e.phase, e.label.name, e.onset, e.offset) for e in lives], skipped


@pytest.mark.parametrize("model", ["bundle", "framed"])
def test_with_an_idle_hop_events_are_the_same_and_most_windows_without_any_are_skipped(
    model, request
):
    bundle = request.getfixturevalue(model)
    sound = np.concatenate([silence(3), tone("Hum", 1), silence(4), tone("Hiss", 0.3), silence(3)])
    expected, _ = idle_times(bundle, sound, None)
    times, skipped = idle_times(bundle, sound, 0.5)
    assert times == expected
    assert [name for phase, name, *_ in times if phase == "start"] == ["Hum", "Hiss"]
    before = [end for end in skipped if end < 3.0]
    assert len(before) >= 0.7 * (3.0 - bundle.window_seconds) / 0.1


def test_a_sound_that_is_not_new_is_found_an_idle_hop_later_at_most(bundle):
    """It comes so slowly that no moment of it stands out from what was before."""
    rise = np.linspace(0.0, 1.0, 8 * RATE, dtype=np.float32) ** 4
    sound = np.concatenate([silence(2), tone("Hum", 8) * rise])
    (first, *_), skipped = idle_times(bundle, sound, 0.5)
    (expected, *_), _ = idle_times(bundle, sound, None)
    assert skipped
    assert first[:2] == expected[:2] == ("start", "Hum")
    assert expected[2] <= first[2] <= expected[2] + 0.5


def test_a_group_that_comes_is_scored_from_the_next_window_on(bundle):
    hum, hiss = bundle.labels
    pipeline = Pipeline("array", Hearing(bundle, bundle.settings, 0.1))
    either = Group(2, "Either", "", (hum, hiss), "max")
    scored = score_recording(ArraySource(tone("Hum", 0.3)), pipeline, NumpyEngine())
    events = []
    for number, (window, clip, _) in enumerate(scored):
        events += pipeline.score(window, clip)
        if number == 0:
            events += pipeline.follow({hum: bundle.settings[hum], either: TrackerSettings()}, {})
    assert [e.label for e in events if e.phase == "start"] == [hum, either]
    assert set(pipeline.reported) <= {hum, either}


# Frame scores


@pytest.fixture(scope="module")
def framed(framed_model):
    return load_bundle(framed_model)


@pytest.fixture
def detect_steps(framed):
    def detect(source, hop=0.1, latency=0.3, **pipeline):
        settings = dict.fromkeys(framed.labels, TrackerSettings(hold=0.2))
        pipeline = Pipeline("array", Hearing(framed, settings, hop, latency=latency, **pipeline))
        told = []
        for window, clip, frame in score_recording(source, pipeline, NumpyEngine()):
            told += [(window.heard, event) for event in pipeline.score(window, clip, frame)]
        return told + [(window.heard, event) for event in pipeline.finish()]

    return detect


STEP = PATCH * 0.01


def spans(told):
    return [(event.onset, event.offset) for _, event in told if event.phase == "end"]


@pytest.mark.parametrize("hop", [0.05, 0.12, 0.25, 0.5, 0.9])
@pytest.mark.parametrize("latency", [0.0, 0.3, 0.9])
def test_with_frame_scores_an_event_lies_where_the_sound_was_whatever_the_hop(
    detect_steps, hop, latency
):
    ((onset, offset),) = spans(detect_steps(ArraySource(SOUND), hop, latency))
    assert onset == pytest.approx(1.5, abs=1.5 * STEP)
    assert offset == pytest.approx(2.2, abs=1.5 * STEP)


def test_two_sounds_in_one_window_are_two_events_where_there_are_frame_scores(detect, detect_steps):
    sounds = [silence(1), tone("Hum", 0.3), silence(0.4), tone("Hum", 0.3), silence(2)]
    source = ArraySource(np.concatenate(sounds))
    assert len(spans([(0, event) for event in detect(source)])) == 1
    first, second = spans(detect_steps(source))
    assert first == pytest.approx((1.0, 1.3), abs=1.5 * STEP)
    assert second == pytest.approx((1.7, 2.0), abs=1.5 * STEP)


@pytest.mark.parametrize("latency", [0.1, 0.5, 0.9])
def test_an_event_is_told_the_latency_after_the_sound(detect_steps, latency):
    hop = 0.1
    (heard, start), *_ = detect_steps(ArraySource(SOUND), hop, latency)
    assert start.phase == "start"
    assert latency <= heard - start.onset <= latency + hop + 1.5 * STEP


@pytest.mark.parametrize("latency", [0.0, 0.5, 0.9, 5.0])
def test_with_frame_scores_a_sound_at_the_end_of_a_recording_ends_there(detect_steps, latency):
    sound = np.concatenate([silence(1.0), tone("Hum", 3.0)])
    ((onset, offset),) = spans(detect_steps(ArraySource(sound), 0.25, latency))
    assert onset == pytest.approx(1.0, abs=1.5 * STEP)
    assert offset == pytest.approx(4.0, abs=1.5 * STEP)


@pytest.mark.parametrize("block", [100, 1601, 10**6])
def test_with_frame_scores_any_cutting_gives_the_same_events(detect_steps, block):
    def times(told):
        return [(heard, e.phase, e.label.name, e.onset, e.offset) for heard, e in told]

    source = ArraySource(SOUND, started_at=1_700_000_000.0, block=block)
    assert times(detect_steps(source)) == times(detect_steps(ArraySource(SOUND, 1_700_000_000.0)))


def test_the_last_sound_before_a_gap_is_not_lost(framed):
    pipeline = Pipeline("array", Hearing(framed, framed.settings, 0.1, latency=0.9))
    told = []
    for sound in (np.concatenate([silence(1.0), tone("Hum", 0.5)]), silence(1.0)):
        stream = Stream("array", RATE, 1, 0.0, live=True)
        for window in pipeline.feed(Block(stream, 0, sound[:, np.newaxis])):
            scored = NumpyEngine().run(window.fbank[np.newaxis])
            told += pipeline.score(window, *next(scored.each()))
    assert [event.phase for event in told] == ["start", "end"]
    assert told[-1].offset == pytest.approx(1.5, abs=0.1 + 1.5 * STEP)


def test_a_group_has_frame_scores_too(framed):
    group = Group(len(framed.labels), "Tone", "", framed.labels, "max")
    settings = {group: TrackerSettings(hold=0.2)}
    pipeline, events = Pipeline("array", Hearing(framed, settings, 0.1)), []
    for window, clip, frame in score_recording(ArraySource(BOTH), pipeline, NumpyEngine()):
        events += pipeline.score(window, clip, frame)
    events += pipeline.finish()
    assert found(events) == ["Tone", "Tone"]


def test_no_more_windows_are_scored_after_a_recording_than_the_latency_needs(framed):
    def count(latency):
        pipeline = Pipeline("array", Hearing(framed, framed.settings, 0.1, latency=latency))
        return len(list(score_recording(ArraySource(silence(2.0)), pipeline, NumpyEngine())))

    assert count(0.0) < count(0.3) < count(0.9)


def test_with_a_gate_a_step_scores_with_its_window(framed):
    def peaks(clip, *, gate):
        bundle = replace(framed, clip_gate=gate)
        pipeline = Pipeline("array", Hearing(bundle, settings, 0.1, latency=0.0))
        ((window, *_),) = _first_windows(pipeline)
        frame = np.full((framed.members[0].steps, 2), 0.9, np.float32)
        events = pipeline.score(window, np.array(clip, np.float32), frame) + pipeline.finish()
        return [event.peak for event in events if event.phase == "end"]

    settings = dict.fromkeys(framed.labels, TrackerSettings(on=0.5))
    assert peaks([0.9, 0.1], gate=False) == pytest.approx([0.9, 0.9])
    assert peaks([0.9, 0.1], gate=True) == pytest.approx([0.9])
    assert peaks([0.4, 0.4], gate=True) == pytest.approx([0.6, 0.6])
