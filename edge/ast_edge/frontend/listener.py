"""From a source's blocks to windows for the engine."""

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ast_edge.audio.stream import Block, Stream
from ast_edge.audio.timeline import Anchor, Timeline
from ast_edge.frontend.conditioner import Conditioner
from ast_edge.frontend.context import Context
from ast_edge.frontend.fbank import LOG_FLOOR, RollingFbank
from ast_edge.frontend.gate import Gate
from ast_edge.frontend.listening import Listening
from ast_edge.frontend.novelty import Novelty
from ast_edge.frontend.resampler import Resampler

log = logging.getLogger(__name__)

_REMEMBERED = 60.0
"""Seconds before a window whose time is known, too: a busy engine leaves out windows, and what was
heard before is told with the next."""


@dataclass(frozen=True, eq=False)
class Window:
    """What the engine looks at: the newest frames of one stream."""

    stream: Stream
    start: float
    """Seconds from the stream's first sample; negative while the past is silence."""
    end: float
    hop: float
    """Seconds of sound that the previous window of the stream did not hold."""
    heard: float
    """Seconds of the stream so far: `end`, but no more than there are (see `slide_out`)."""
    fbank: NDArray[np.float32]
    """(frames, mel_bins)."""
    quiet: bool = False
    """Whether all of its sound is below the silence gate; without a gate nothing is."""
    idle: bool = False
    """Whether nothing new sounds in it, and no look is due yet; without an idle hop it never is."""
    times: Timeline | None = None
    """Says when its sound was; None is evenly after the stream's first."""

    @property
    def when(self) -> Timeline | Anchor:
        """When its sound was, up to `heard`."""
        return self.times or self.stream.beginning

    @property
    def heard_at(self) -> float:
        """The Unix time of the newest sound."""
        return self.when.time_at(self.heard)


class Listener:
    """Resample, condition, compute rolling fbanks and slide the window, for one source.

    Every cutting of a stream into blocks gives the same windows. A block of a new stream resets
    everything. Memory is bounded by one window and one hop.
    """

    def __init__(self, listening: Listening) -> None:
        """Begin before the first sound."""
        spec, frames, gate = listening.spec, listening.frames, listening.gate
        self._spec = spec
        self._frames = frames
        hop = self._hop = max(1, round(listening.hop * 1000 / spec.frame_shift_ms))
        self._channel = listening.conditioning.channel
        self._conditioner = Conditioner(listening.conditioning, spec.sample_rate)
        self._gate = Gate(gate, spec) if gate else None
        self._fbank = RollingFbank(spec)
        self._waiting: list[NDArray[np.float32]] = []
        """Sound from which no frames have been made yet: less than a hop."""
        self._samples = 0
        self._due = spec.samples_in(hop)
        """Samples of the stream that complete the next window."""
        self._context = Context(frames, spec.mel_bins, hop)
        self._novelty = Novelty(frames, spec.mel_bins) if listening.idle_hop else None
        looks = round((listening.idle_hop or 0) * 1000 / spec.frame_shift_ms / hop)
        self._idle_hop = hop * looks or hop
        self._stream: Stream | None = None
        self._times: Timeline | None = None
        self._resampler: Resampler | None = None
        self._last_end = 0
        self._reported: Stream | None = None

    def feed(self, block: Block) -> list[Window]:
        """Take a block and return the windows that it completes, oldest first."""
        if self._resampler is None or block.stream is not self._stream:
            self.reset()
            self._stream = block.stream
            self._times = Timeline((block.when,))
            self._resampler = Resampler(
                block.stream.sample_rate,
                block.stream.channels,
                self._spec.sample_rate,
                channel=self._channel,
            )
        self._keep_time(block)
        frames = self._frames_of(self._resampler.feed(block.samples))
        self._report_bad_samples(block)
        return list(self._windows(self._context.feed(frames)))

    def flush(self) -> list[Window]:
        """Return what the end of the stream completes: its last, shorter hop."""
        windows = self._last_windows()
        self.reset()
        return windows

    def slide_out(self) -> list[Window]:
        """Return what `flush` does and the windows that follow as silence moves in.

        Only then has the end of the stream passed through the whole window, so that a sound that
        lasts until there gets its true offset.
        """
        windows = self._last_windows()
        if windows:
            silence = np.full_like(windows[-1].fbank, LOG_FLOOR)
            windows += self._windows(self._context.feed(silence), heard=windows[-1].end)
        self.reset()
        return windows

    def _last_windows(self) -> list[Window]:
        if self._resampler is None:
            return []
        frames = self._frames_of(self._resampler.flush(), last=True)
        windows = list(self._windows(self._context.feed(frames)))
        return windows + list(self._windows(self._context.flush()))

    def reset(self) -> None:
        """Forget the stream."""
        self._stream = self._times = self._resampler = None
        self._conditioner.reset()
        if self._gate:
            self._gate.reset()
        self._fbank.reset()
        self._waiting.clear()
        self._samples, self._due = 0, self._spec.samples_in(self._hop)
        self._context.reset()
        if self._novelty:
            self._novelty.reset()
        self._last_end = 0

    def _frames_of(self, sound: NDArray[np.float32], last: bool = False) -> NDArray[np.float32]:
        """Compute the frames (n, mel_bins) of mono sound once they complete a window.

        Those of a hop at once cost a third of what they do block by block.
        """
        sound = self._conditioner.feed(sound)
        if self._gate:
            self._gate.feed(sound)
        self._waiting.append(sound)
        self._samples += len(sound)
        if self._samples < self._due and not last:
            return np.empty((0, self._spec.mel_bins), np.float32)
        frames = self._fbank.feed(np.concatenate(self._waiting))
        self._waiting.clear()
        hops = self._spec.frames_in(self._samples) // self._hop
        self._due = self._spec.samples_in((hops + 1) * self._hop)
        if self._novelty:
            self._novelty.feed(frames)
        return frames

    def _keep_time(self, block: Block) -> None:
        """Take when a block was, and forget what no window will ask for any more."""
        assert self._times
        times = self._times.then(block.when)
        if times is not self._times:
            window = self._spec.samples_in(self._frames) / self._spec.sample_rate
            begins = block.start / block.stream.sample_rate
            self._times = times.from_second(begins - window - _REMEMBERED)

    def _report_bad_samples(self, block: Block) -> None:
        """Say once per stream that it holds samples that are no sound."""
        if block.bad_samples and block.stream is not self._reported:
            self._reported = block.stream
            log.warning(
                "source %s: samples that are no numbers, or far too large, are taken as silence; "
                "is their format the right one?",
                block.stream.source,
            )

    def _windows(
        self, completed: Iterator[tuple[int, NDArray[np.float32]]], heard: float = math.inf
    ) -> Iterator[Window]:
        assert self._stream is not None
        rate, shift = self._spec.sample_rate, self._spec.frame_shift
        for end, fbank in completed:
            end_sample = self._spec.samples_in(end)
            start_sample = end_sample - self._spec.samples_in(self._frames)
            yield Window(
                stream=self._stream,
                start=start_sample / rate,
                end=end_sample / rate,
                hop=(end - self._last_end) * shift / rate,
                heard=min(end_sample / rate, heard),
                fbank=fbank,
                quiet=bool(self._gate and self._gate.is_quiet(start_sample, end_sample)),
                idle=self._is_idle(end),
                times=self._times,
            )
            self._last_end = end

    def _is_idle(self, end: int) -> bool:
        """Tell whether the window that ends with this frame may wait for a later one."""
        if self._novelty is None:
            return False
        return self._novelty.is_settled(end - self._frames, end) and end % self._idle_hop != 0
