"""A take as it is heard in the daemon, scored by heads that have not learnt from it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ast_edge.audio.stream import Block, Stream
from ast_edge.detection.aggregator import LATENCY_SECONDS, Aggregator
from ast_edge.enrolment.embedder import Embedded, Embedder
from ast_edge.enrolment.margin import HeadPair
from ast_edge.enrolment.take import Take
from ast_edge.frontend.listener import Listener, Window
from ast_edge.frontend.listening import Listening
from ast_edge.model.bundle import Bundle

HOP = 0.5
"""Seconds between two windows, as it is unless configured."""


@dataclass(frozen=True, eq=False)
class Rehearsal:
    """The windows of a take, as a source that plays it would have them."""

    bundle: Bundle
    embedded: Embedded
    places: list[tuple[float, float]]
    """(windows,) where each starts, and up to where the take was heard, in seconds."""
    known: NDArray[np.float32]
    """(labels,) the highest probability of what the bundle knows already."""

    def score(self, heads: HeadPair) -> float:
        """Return the highest probability that an event would be made of."""
        clip = _sigmoid(heads.clip_logits(self.embedded.clip))
        if self.embedded.frame is None:
            return float(clip.max())
        frame = _sigmoid(heads.frame_logits(self.embedded.frame))
        if self.bundle.clip_gate:
            frame = np.sqrt(frame * clip[:, np.newaxis])
        aggregator = Aggregator(self.bundle.members[0], self.bundle.fbank, LATENCY_SECONDS)
        highest = 0.0
        for (start, heard), steps in zip(self.places, frame, strict=True):
            moments = aggregator.feed(start, heard, steps[:, np.newaxis])
            highest = max([highest, *(float(moment.probabilities[0]) for moment in moments)])
        rest = (float(moment.probabilities[0]) for moment in aggregator.flush())
        return max([highest, *rest])


def rehearse(take: Take, embedder: Embedder) -> Rehearsal:
    """Play a take to the network."""
    bundle = embedder.bundle
    places: list[tuple[float, float]] = []

    def due() -> Iterator[NDArray[np.float32]]:
        for window in _windows(take, bundle):
            places.append((window.start, window.heard))
            yield window.fbank

    parts, known = [], np.zeros(len(bundle.labels), np.float32)
    for embedded, scores in embedder.run(due()):
        parts.append(embedded)
        known = np.maximum(known, scores.clip.max(axis=0))
    clip = np.concatenate([part.clip for part in parts])
    frames = [part.frame for part in parts if part.frame is not None]
    return Rehearsal(
        bundle, Embedded(clip, np.concatenate(frames) if frames else None), places, known
    )


def _windows(take: Take, bundle: Bundle) -> Iterator[Window]:
    listener = Listener(Listening(bundle.fbank, bundle.frames, HOP))
    stream = Stream(take.name, take.rate, 1, 0.0, live=False)
    # A source delivers blocks of about 100 ms.
    for start in range(0, len(take.samples), take.rate // 10):
        block = take.samples[start : start + take.rate // 10, np.newaxis]
        yield from listener.feed(Block(stream, start, block))
    yield from listener.slide_out()


def _sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    found: NDArray[np.float32] = (1 + np.tanh(0.5 * logits)) / 2
    return found
