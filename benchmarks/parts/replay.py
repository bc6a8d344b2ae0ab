"""Recordings that are scored once and then replayed with other hops, latencies and outputs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ast_edge.detection.event import Event
from ast_edge.detection.hearing import Hearing
from ast_edge.detection.pipeline import Pipeline, score_recording
from ast_edge.detection.tracker import EventTracker, Step
from ast_edge.engines.engine import Engine
from ast_edge.evaluation.curve import Curve, CurveRecorder
from ast_edge.evaluation.detector import Detection
from ast_edge.evaluation.span import Span
from ast_edge.frontend.listener import Listener, Window
from ast_edge.frontend.listening import Listening
from ast_edge.model.bundle import Bundle
from ast_edge.model.label import Label
from ast_edge.model.label_settings import TrackerSettings
from ast_edge.sources.recording import RecordingSource

Scored = list[tuple[Window, NDArray[np.float32], NDArray[np.float32] | None]]
"""Windows without their features, and what the engine says about each."""


@dataclass(frozen=True)
class Variant:
    """How the scores of windows become those of moments."""

    hop: float = 0.5
    """Seconds; a multiple of the one that the windows were scored with."""
    latency: float = 1.0
    frame: bool = True
    """Whether events are made of the frame scores, or of the clip scores alone."""
    gate: bool = False
    """Whether a step's score is the geometric mean of its own and its window's."""

    def apply(self, bundle: Bundle) -> Bundle:
        """Return the bundle as it would have been exported for this."""
        return replace(
            bundle, frame=bundle.frame if self.frame else "none", clip_gate=self.frame and self.gate
        )


@dataclass(frozen=True, eq=False)
class Replay:
    """What a tracker is fed with one variant."""

    curve: Curve
    told: NDArray[np.float64]
    """(steps,) seconds of the recording that had been heard when the tracker was fed each."""

    def detect(self, settings: Mapping[Label, TrackerSettings]) -> list[Detection]:
        """Return the events of a tracker with these settings, by label and onset."""
        numbers = count()
        tracker = EventTracker("", settings, lambda: str(next(numbers)))
        started: dict[str, float] = {}
        ended: list[Detection] = []

        def collect(events: Iterable[Event], now: float) -> None:
            for event in events:
                started.setdefault(event.id, now)
                if event.phase == "end":
                    span = Span(event.onset, event.offset)
                    ended.append(Detection(event.label, span, event.peak, started[event.id]))

        for number, now in enumerate(self.told.tolist()):
            collect(tracker.feed(self.curve.step(number)), now)
        collect(tracker.finish(), float(self.told[-1]) if len(self.told) else 0.0)
        return sorted(ended, key=lambda one: (one.label.index, one.span))


class _SlidingOut(Listener):
    """A listener that goes on until all sound has left the window."""

    def flush(self) -> list[Window]:
        return self.slide_out()


def score(path: Path, bundle: Bundle, engine: Engine, hop: float) -> tuple[Scored, float]:
    """Score all windows of a recording, and return them with its seconds.

    Raises:
        AudioError: if the file cannot be read.
    """
    source = RecordingSource(path.stem, path, pace="fast")
    listener = _SlidingOut(Listening(bundle.fbank, bundle.frames, hop))
    nothing = np.zeros((0, 0), np.float32)  # features of hours do not fit in memory
    scored = [
        (replace(window, fbank=nothing), clip, frame)
        for window, clip, frame in score_recording(source, listener, engine)
    ]
    return scored, source.seconds


def replay(scored: Scored, bundle: Bundle, variant: Variant) -> Replay:
    """Make of the windows of one recording what the deployed pipeline would feed its tracker."""
    pipeline = _StepRecorder(variant.apply(bundle), variant)
    told = list[float]()
    now = 0.0
    for window, clip, frame in _every(scored, bundle, variant):
        now = window.end
        pipeline.score(window, clip, frame)
        told += [now] * (pipeline.steps - len(told))
    pipeline.finish()
    told += [now] * (pipeline.steps - len(told))
    return Replay(pipeline.recorder.finish(), np.array(told))


def _every(scored: Scored, bundle: Bundle, variant: Variant) -> Scored:
    """Return the windows that a listener with this hop would give."""
    rate, spec = bundle.fbank.sample_rate, bundle.fbank
    hop = round(variant.hop * 1000 / spec.frame_shift_ms)
    counts = [
        round((window.end * rate - spec.frame_length) / spec.frame_shift) + 1
        for window, _, _ in scored
    ]
    last = max((n for n, one in zip(counts, scored, strict=True) if one[0].end <= one[0].heard))
    chosen: Scored = []
    before = 0
    for frames, (window, clip, frame) in zip(counts, scored, strict=True):
        if frames % hop and frames != last:
            continue
        window = replace(window, hop=(frames - before) * spec.frame_shift / rate)
        before = frames
        if variant.frame and window.end - window.hop >= window.heard + variant.latency:
            break  # what follows would only show what has been released, see `Pipeline.flush`
        chosen.append((window, clip, frame))
    return chosen


class _StepRecorder(Pipeline):
    """A pipeline that keeps the steps instead of tracking them."""

    def __init__(self, bundle: Bundle, variant: Variant) -> None:
        super().__init__("", Hearing(bundle, {}, variant.hop, variant.latency))
        self.recorder = CurveRecorder(len(bundle.labels), np.float32)
        self.steps = 0

    def _track(self, steps: Iterable[Step]) -> list[Event]:
        for step in steps:
            self.recorder.feed(step)
            self.steps += 1
        return []
