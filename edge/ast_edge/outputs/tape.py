"""The newest sound of one stream, kept in memory."""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from ast_edge.audio.stream import Block, Stream
from ast_edge.audio.timeline import Timeline


class Tape:
    """Mono 16-bit samples of a stream, from some sample to the newest.

    Any cutting of the stream gives the same samples.
    """

    def __init__(self, stream: Stream, channel: int | None = None) -> None:
        """Record a stream: one channel, counted from 1, or the mean of all."""
        self.stream = stream
        self.complete = False
        """Whether nothing more is expected."""
        self._chosen = slice(None) if channel is None else slice(channel - 1, channel)
        self._blocks: deque[tuple[int, NDArray[np.int16]]] = deque()
        self._end = 0
        self._times = Timeline((stream.beginning,))

    @property
    def end(self) -> int:
        """Number of the sample that comes next."""
        return self._end

    def feed(self, block: Block) -> None:
        """Take the next sound."""
        self.complete = False
        mono = block.samples[:, self._chosen].mean(axis=1, dtype=np.float32)
        samples = np.clip(np.rint(mono * 32768), -32768, 32767).astype(np.int16)
        self._blocks.append((block.start, samples))
        self._end = block.start + len(samples)
        self._times = self._times.then(block.when)

    def sample_at(self, moment: float) -> int:
        """Return the sample at a Unix time in seconds; it may be one that is not on the tape."""
        return round(self._times.second_at(moment) * self.stream.sample_rate)

    def cut(self, start: int, stop: int) -> NDArray[np.int16]:
        """Return the samples from `start` to before `stop`, as far as they are on the tape."""
        parts = [s[max(0, start - at) : max(0, stop - at)] for at, s in self._blocks]
        return np.concatenate([np.zeros(0, np.int16), *parts])

    def forget(self, before: int) -> None:
        """Let go of blocks that end before a sample."""
        while self._blocks and self._blocks[0][0] + len(self._blocks[0][1]) <= before:
            self._blocks.popleft()
        self._times = self._times.from_second(before / self.stream.sample_rate)
