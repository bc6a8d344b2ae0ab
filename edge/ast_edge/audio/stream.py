"""Audio as it travels: streams without gaps, and blocks of their samples."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ast_edge.audio.health import Health
from ast_edge.audio.timeline import Anchor

MODEL_RATE = 16_000
"""Samples a second that models hear."""

LOUDEST = 65536.0
"""Far beyond any sound, also where that is scaled like 16-bit numbers; with the highest gain, its
filterbank is still finite. Floating-point samples read from a wrong byte on are mostly beyond."""


@dataclass(frozen=True, eq=False)
class Stream:
    """One uninterrupted recording of a source; a gap ends it and the next sample opens a new one.

    A clock that drifts is no gap: then a block says when its samples were.

    Streams are compared by identity: a source that comes back after a fault yields a new object,
    and everything that keeps state about the old one starts afresh.
    """

    source: str
    """Name of the source in the configuration."""
    sample_rate: int
    """Hertz."""
    channels: int
    started_at: float
    """Unix time of sample 0 in seconds; 0.0 for a replay, which counts in seconds of the file."""
    live: bool
    """True when the sound exists only now: late windows are dropped, not queued."""

    @property
    def beginning(self) -> Anchor:
        """When its sound was, if no clock drifts."""
        return Anchor(0.0, self.started_at)


@dataclass(frozen=True, eq=False)
class Block:
    """Consecutive samples of one stream.

    Whatever a source gives, the samples of a block are numbers that all arithmetic can take: others
    are silence. One NaN would live on in filters and scores for ever.
    """

    stream: Stream
    start: int
    """Index of the first sample in the stream."""
    samples: NDArray[np.float32]
    """(samples, channels), full scale at 1.0, none beyond LOUDEST."""
    anchor: Anchor | None = None
    """Says when the samples were; None is that they followed evenly on the stream's first."""
    bad_samples: int = field(init=False, default=0)
    """How many were no numbers or beyond LOUDEST; they are 0 now."""

    def __post_init__(self) -> None:
        """Silence what is no sound."""
        # Written so that NaN does not pass.
        if not self.samples.size or -LOUDEST <= self.samples.min() <= self.samples.max() <= LOUDEST:
            return
        good = np.abs(self.samples) <= LOUDEST
        object.__setattr__(self, "bad_samples", int(np.count_nonzero(~good)))
        object.__setattr__(self, "samples", np.where(good, self.samples, np.float32(0)))

    @property
    def when(self) -> Anchor:
        """When the samples were."""
        return self.anchor or self.stream.beginning


class Source(Protocol):
    """Where sound comes from.

    `blocks` is run in a thread of its own and blocks while it waits for sound. It returns when the
    sound has ended for good (a file, a pipe) and raises `AudioError` when it can never start; a
    live source never does either: it retries until `close`.
    """

    name: str

    def blocks(self) -> Iterator[Block]:
        """Yield the sound in blocks of about 100 ms."""
        ...

    def close(self) -> None:
        """Make `blocks` return soon, and wait for nothing; any number of times.

        It is called from another thread.
        """
        ...


@runtime_checkable
class Monitored(Protocol):
    """A source that knows how well its sound arrives."""

    name: str
    health: Health
    """The newest; an immutable value that any thread may read."""
