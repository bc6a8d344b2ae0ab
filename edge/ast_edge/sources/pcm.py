"""Raw PCM: its layout, and a pipe of it as a source."""

import logging
import os
import select
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ast_edge.audio.health import OK, Health
from ast_edge.audio.sample_clock import SampleClock
from ast_edge.audio.stream import Block, Stream
from ast_edge.sources.band_check import lack_of_rate

_log = logging.getLogger(__name__)

Encoding = Literal["s16le", "s32le", "f32le"]

FLOWING_SECONDS = 0.4
"""Seconds of sound that came as it was recorded, after which a wrong time of it is believed."""

_SAMPLE_BYTES = {"s16le": 2, "s32le": 4, "f32le": 4}


@dataclass(frozen=True)
class PcmFormat:
    """How sound lies in a stream of bytes; channels are interleaved."""

    encoding: Encoding
    sample_rate: int
    """Hertz."""
    channels: int

    def __post_init__(self) -> None:
        if self.sample_rate < 1 or self.channels < 1:
            raise ValueError(f"expected a positive sample rate and channels, got {self}")

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of every channel."""
        return _SAMPLE_BYTES[self.encoding] * self.channels

    @property
    def block_bytes(self) -> int:
        """Bytes of 100 ms."""
        return max(self.sample_rate // 10, 1) * self.frame_bytes

    def decode(self, data: bytes) -> NDArray[np.float32]:
        """Return whole frames as (n, channels), full scale at 1.0."""
        if self.encoding == "s16le":
            samples = np.frombuffer(data, "<i2").astype(np.float32) / np.float32(32768)
        elif self.encoding == "s32le":
            samples = (np.frombuffer(data, "<i4") / 2**31).astype(np.float32)
        else:
            samples = np.frombuffer(data, "<f4").astype(np.float32)
        return samples.reshape(-1, self.channels)


class PcmSource:
    """PCM from a file descriptor, such as standard input, until its end.

    When the time of live sound is wrong for good (a pause in which sound was lost, a clock that was
    set, a crystal that is off), a new stream begins, as with a microphone. Only sound that had to
    be waited for tells the time: what comes at once has waited somewhere.
    """

    def __init__(
        self,
        name: str,
        fd: int,
        pcm: PcmFormat,
        *,
        live: bool = True,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare to read `fd`, which stays the caller's to close.

        Args:
            live: whether the sound comes as it is recorded; False for a file that is piped in.
            clock: Unix time in seconds.
            monotonic: seconds that only ever go forward.
        """
        self.name = name
        self.health = OK
        """What its sound lacks; read in other threads."""
        self._fd = fd
        self._pcm = pcm
        self._live = live
        self._clock, self._monotonic = clock, monotonic
        # Closing the write end makes the read end readable: that is how `close` wakes `blocks`.
        self._wake_read, self._wake_write = os.pipe()
        self._lock = threading.Lock()
        self._closed = False

    def blocks(self) -> Iterator[Block]:
        """Yield blocks of 100 ms, a shorter one at the end.

        Bytes after the last whole frame are dropped. Runs once.
        """
        stream, position = None, 0
        watch: _Watch | None = None
        try:
            while True:
                asked = self._monotonic()
                data = self._read_block()
                waited = self._monotonic() - asked
                whole = len(data) - len(data) % self._pcm.frame_bytes
                if whole < len(data):
                    _log.debug("%s: dropping a partial frame at the end", self.name)
                if whole == 0:
                    return
                samples = self._pcm.decode(data[:whole])
                rate, now, end = self._pcm.sample_rate, self._clock(), position + len(samples)
                if watch and (wrong := watch.feed(end, now, waited > len(samples) / rate / 2)):
                    _log.warning("%s: %s; starting a new stream", self.name, wrong)
                    stream, position = None, 0
                if stream is None:
                    started_at = now - len(samples) / rate
                    stream = Stream(self.name, rate, self._pcm.channels, started_at, self._live)
                    watch = _Watch(rate, started_at) if self._live else None
                    if lack := lack_of_rate(rate):
                        self.health = Health("ok", lack)
                        _log.warning("source %s: %s", self.name, lack)
                yield Block(stream, position, samples)
                position += len(samples)
        finally:
            os.close(self._wake_read)

    def close(self) -> None:
        """Make `blocks` return, even while nothing arrives."""
        with self._lock:
            if not self._closed:
                self._closed = True
                os.close(self._wake_write)

    def _read_block(self) -> bytes:
        """Read 100 ms, less at the end of the input, nothing once closed."""
        poll = select.poll()  # unlike epoll, it takes regular files too
        poll.register(self._fd, select.POLLIN)
        poll.register(self._wake_read, select.POLLIN)
        data = bytearray()
        while (missing := self._pcm.block_bytes - len(data)) > 0:
            poll.poll()
            if self._closed:
                return b""
            more = os.read(self._fd, missing)
            if not more:
                break
            data += more
        return bytes(data)


class _Watch:
    """Notices when the time of a live stream is wrong: soon where it flows, else in a while."""

    def __init__(self, sample_rate: int, started_at: float) -> None:
        self._flowing = SampleClock(sample_rate, started_at, FLOWING_SECONDS)
        self._lasting = SampleClock(sample_rate, started_at)

    def feed(self, position: int, now: float, was_waited_for: bool) -> str:
        """Take note that all samples before `position` are here; say what is wrong, if it is."""
        if not was_waited_for:
            self._flowing.excuse()
            return ""
        # Both, for each has a memory.
        wrong = [clock.has_run_away(position, now) for clock in (self._flowing, self._lasting)]
        return self._lasting.complaint(position, now) if any(wrong) else ""
