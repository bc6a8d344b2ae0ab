"""What is evaluated: a bundle, its engine, and how scores become events, over one recording."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ast_edge.app.plan import Plan
from ast_edge.detection.event import Event
from ast_edge.detection.groups import Group
from ast_edge.detection.hearing import Hearing
from ast_edge.detection.offline import find_events
from ast_edge.detection.pipeline import Pipeline
from ast_edge.detection.tracker import Step
from ast_edge.engines.choice import open_engine
from ast_edge.engines.engine import Engine
from ast_edge.evaluation.curve import Curve, CurveRecorder
from ast_edge.evaluation.one_channel import for_recordings
from ast_edge.evaluation.span import Span
from ast_edge.evaluation.spectrogram import SpectrogramMaker
from ast_edge.model.bundle import Bundle
from ast_edge.model.label import Label
from ast_edge.model.label_settings import TrackerSettings
from ast_edge.sources.recording import RecordingSource


@dataclass(frozen=True)
class Detection:
    """A finished event."""

    label: Label
    span: Span
    peak: float
    told: float
    """How many seconds of the recording had been heard when its start was told."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """What the pipeline made of a recording; times in seconds of it."""

    path: Path
    seconds: float
    detections: tuple[Detection, ...]
    """By label, then by onset."""
    curve: Curve
    spectrogram: NDArray[np.float16]
    """(columns, rows), the whole recording; see `SpectrogramMaker`."""

    def detections_of(self, label: Label) -> list[Detection]:
        """Return those of one label or group, by onset."""
        return [one for one in self.detections if one.label == label]


@dataclass(frozen=True)
class Detector:
    """The deployed pipeline, to be run over recordings faster than real time."""

    hearing: Hearing
    engine: Engine

    @property
    def bundle(self) -> Bundle:
        """The bundle that listens."""
        return self.hearing.bundle

    @property
    def settings(self) -> Mapping[Label, TrackerSettings]:
        """The labels and groups that are reported."""
        return self.hearing.settings

    def listen(
        self, path: Path, dtype: type[np.floating] = np.float32, *, draw: bool = True
    ) -> Outcome:
        """Run a recording through it; scores are kept as `dtype`.

        Without `draw` the outcome's spectrogram is empty, which saves memory.

        Raises:
            AudioError: if the file cannot be read.
        """
        source = RecordingSource(path.stem, path, pace="fast")
        hearing, heard = for_recordings(self.hearing, source)
        columns = len(self.bundle.labels) + sum(isinstance(one, Group) for one in self.settings)
        curve = CurveRecorder(columns, dtype)
        pipeline = _RecordingPipeline(source.name, hearing)
        pipeline.curve = curve
        spectrogram = SpectrogramMaker(self.bundle.fbank)
        started: dict[str, float] = {}
        ended: list[Detection] = []
        now = 0.0
        for window, events in find_events(heard, pipeline, self.engine):
            now = window.end
            if draw:
                spectrogram.feed(window)
            _collect(events, now, started, ended)
        _collect(pipeline.finish(), now, started, ended)
        return Outcome(
            path,
            source.seconds,
            tuple(sorted(ended, key=lambda one: (one.label.index, one.span))),
            curve.finish(),
            spectrogram.finish(),
        )


def open_detector(plan: Plan, source: str | None = None) -> Detector:
    """Open the engine of a configuration, to listen as one of its sources is listened to.

    Raises:
        ConfigError: there is no such source, or they differ and none is named.
        EngineError: if none works.
    """
    hearing = plan.hearing_of(source)
    return Detector(hearing, open_engine(hearing.bundle, plan.config.engine))


def _collect(
    events: Iterable[Event], now: float, started: dict[str, float], ended: list[Detection]
) -> None:
    """Remember when events start, and take them when they end."""
    for event in events:
        if event.phase == "start":
            started[event.id] = now
        elif event.phase == "end":
            span = Span(event.onset, event.offset)
            ended.append(Detection(event.label, span, event.peak, started[event.id]))


class _RecordingPipeline(Pipeline):
    """A pipeline that keeps the steps that its tracker was fed."""

    curve: CurveRecorder

    def _track(self, steps: Iterable[Step]) -> list[Event]:
        return super()._track(self._record(steps))

    def _record(self, steps: Iterable[Step]) -> Iterator[Step]:
        for step in steps:
            self.curve.feed(step)
            yield step
