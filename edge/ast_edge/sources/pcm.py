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

FLOWING = (1.0, 0.4)
"""Seconds by which time must be wrong, and seconds of sound that came as it was recorded, after
which that is believed."""

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
    set), a new stream begins, as with a microphone; that of a crystal that is off is corrected.
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
        stream: Stream | None = None
        clock: SampleClock | None = None
        position = 0
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
                samples, now = self._pcm.decode(data[:whole]), self._clock()
                count, length = len(samples), len(samples) / self._pcm.sample_rate
                flows = waited > length / 2
                anchor = clock.feed(count, now, was_waited_for=flows) if clock else None
                if clock and not anchor:
                    _log.warning("%s: %s; starting a new stream", self.name, clock.complaint)
                    stream = None
                if stream is None:
                    stream, position = self._open_stream(now - length), 0
                    clock = self._follow(stream)
                    anchor = clock.feed(count, now) if clock else None
                yield Block(stream, position, samples, anchor)
                position += count
        finally:
            os.close(self._wake_read)

    def close(self) -> None:
        """Make `blocks` return, even while nothing arrives."""
        with self._lock:
            if not self._closed:
                self._closed = True
                os.close(self._wake_write)

    def _open_stream(self, started_at: float) -> Stream:
        pcm = self._pcm
        if lack := lack_of_rate(pcm.sample_rate):
            self.health = Health("ok", lack)
            _log.warning("source %s: %s", self.name, lack)
        return Stream(self.name, pcm.sample_rate, pcm.channels, started_at, self._live)

    def _follow(self, stream: Stream) -> SampleClock | None:
        """Return what tells when the sound of a stream was, if it comes as it is recorded."""
        if not stream.live:
            return None
        return SampleClock(stream.sample_rate, stream.started_at, flowing=FLOWING)

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
