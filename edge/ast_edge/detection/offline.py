"""The events of a source that ends, as fast as it can be read."""

from collections.abc import Iterator

import numpy as np

from ast_edge.audio.stream import Source
from ast_edge.detection.event import Event
from ast_edge.detection.pipeline import Pipeline
from ast_edge.engines.engine import Engine
from ast_edge.frontend.listener import Window


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
