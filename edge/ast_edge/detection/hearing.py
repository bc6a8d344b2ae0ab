"""How a source is listened to, from its sound to its events."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from ast_edge.audio.stream import Source
from ast_edge.detection.aggregator import LATENCY_SECONDS
from ast_edge.detection.event import Event
from ast_edge.detection.pipeline import Pipeline
from ast_edge.detection.rules import Rule
from ast_edge.engines.engine import Engine
from ast_edge.frontend.conditioner import Conditioning
from ast_edge.frontend.gate import GateSettings
from ast_edge.frontend.listener import Window
from ast_edge.model.bundle import Bundle
from ast_edge.model.label import Label
from ast_edge.model.label_settings import TrackerSettings

AnyPipeline = TypeVar("AnyPipeline", bound=Pipeline)


@dataclass(frozen=True)
class Hearing:
    """A bundle, what is reported of it, and how sound is prepared and looked at for it."""

    bundle: Bundle
    settings: Mapping[Label, TrackerSettings]
    """The labels and groups to report."""
    hop: float = 0.5
    """Seconds between two windows."""
    latency: float = LATENCY_SECONDS
    """Seconds that frame scores are listened on to."""
    idle_hop: float | None = None
    """Seconds between two windows while nothing new sounds."""
    rules: Mapping[Label, Rule] = field(default_factory=dict)
    conditioning: Conditioning = field(default_factory=Conditioning)
    gate: GateSettings | None = None

    def pipeline(self, source: str) -> Pipeline:
        """Return what finds the events of a source."""
        return self.make(Pipeline, source)

    def make(self, kind: type[AnyPipeline], source: str) -> AnyPipeline:
        """Return a pipeline of a kind that is made as any other."""
        return kind(
            source,
            self.bundle,
            self.settings,
            self.hop,
            self.rules,
            latency=self.latency,
            idle_hop=self.idle_hop,
            conditioning=self.conditioning,
            gate=self.gate,
        )


def find_events(
    source: Source, pipeline: Pipeline, engine: Engine, batch: int = 16
) -> Iterator[tuple[Window, list[Event]]]:
    """Yield every window of a source that ends, with the events that it starts, updates and ends.

    Windows that may be skipped are decided on one by one, as it takes the events of those before
    to tell; all others are scored in batches.

    Raises:
        AudioError: if the source cannot be read.
    """
    due: list[Window] = []

    def score() -> Iterator[tuple[Window, list[Event]]]:
        if due:
            scores = engine.run(np.stack([window.fbank for window in due]))
            for window, found in zip(due, scores.each(), strict=True):
                yield window, pipeline.score(window, *found)
            due.clear()

    for window in _windows(source, pipeline):
        if window.quiet or window.idle:
            yield from score()
            if pipeline.may_skip(window):
                yield window, pipeline.skip(window)
                continue
        due.append(window)
        if len(due) == batch or window.quiet or window.idle:
            yield from score()
    yield from score()


def _windows(source: Source, pipeline: Pipeline) -> Iterator[Window]:
    for block in source.blocks():
        yield from pipeline.feed(block)
    yield from pipeline.flush()
