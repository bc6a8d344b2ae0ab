"""From a source's blocks to windows for the engine."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ast_edge.audio import Block, Stream
from ast_edge.context import Context
from ast_edge.fbank import FbankSpec, RollingFbank
from ast_edge.resampler import Resampler


@dataclass(frozen=True, eq=False)
class Window:
    """What the engine looks at: the newest frames of one stream."""

    stream: Stream
    start: float
    """Seconds from the stream's first sample; negative while the past is silence."""
    end: float
    hop: float
    """Seconds of sound that the previous window of the stream did not hold."""
    fbank: NDArray[np.float32]
    """(frames, mel_bins)."""


class Listener:
    """Resample, compute rolling fbanks and slide the window, for one source.

    Every cutting of a stream into blocks gives the same windows. A block of a new stream resets
    everything. Memory is bounded by one window.
    """

    def __init__(self, spec: FbankSpec, frames: int, hop_seconds: float) -> None:
        """Take the front end, the model's window in frames, and the seconds between windows."""
        self._spec = spec
        self._frames = frames
        hop = max(1, round(hop_seconds * 1000 / spec.frame_shift_ms))
        self._fbank = RollingFbank(spec)
        self._context = Context(frames, spec.mel_bins, hop)
        self._stream: Stream | None = None
        self._resampler: Resampler | None = None
        self._last_end = 0

    def feed(self, block: Block) -> list[Window]:
        """Take a block and return the windows that it completes, oldest first."""
        if self._resampler is None or block.stream is not self._stream:
            self.reset()
            self._stream = block.stream
            self._resampler = Resampler(
                block.stream.sample_rate, block.stream.channels, self._spec.sample_rate
            )
        frames = self._fbank.feed(self._resampler.feed(block.samples))
        return list(self._windows(self._context.feed(frames)))

    def flush(self) -> list[Window]:
        """Return what the end of the stream completes: its last, shorter hop."""
        if self._resampler is None:
            return []
        frames = self._fbank.feed(self._resampler.flush())
        windows = list(self._windows(self._context.feed(frames)))
        windows += self._windows(self._context.flush())
        self.reset()
        return windows

    def reset(self) -> None:
        """Forget the stream."""
        self._stream = self._resampler = None
        self._fbank.reset()
        self._context.reset()
        self._last_end = 0

    @property
    def bad_samples(self) -> int:
        """NaN and infinite samples of the current stream, each taken as 0."""
        return self._resampler.bad_samples if self._resampler else 0

    def _windows(self, completed: Iterator[tuple[int, NDArray[np.float32]]]) -> Iterator[Window]:
        assert self._stream is not None
        rate, shift = self._spec.sample_rate, self._spec.frame_shift
        for end, fbank in completed:
            end_sample = self._spec.samples_in(end)
            yield Window(
                stream=self._stream,
                start=(end_sample - self._spec.samples_in(self._frames)) / rate,
                end=end_sample / rate,
                hop=(end - self._last_end) * shift / rate,
                fbank=fbank,
            )
            self._last_end = end
