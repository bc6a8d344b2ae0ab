"""Recordings as a source: played like a microphone, or as fast as they can be read."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ast_edge.audio.health import OK, Health
from ast_edge.audio.sound_file import SoundFile, open_sound_file
from ast_edge.audio.stream import Block, Stream
from ast_edge.base.errors import AudioError
from ast_edge.sources.band_check import lack_of_rate

_log = logging.getLogger(__name__)

_BLOCKS_PER_SECOND = 10
_SLOWEST, _FASTEST = 1000, 384_000


class RecordingSource:
    """A file (WAV, FLAC, OGG, MP3, and what ffmpeg reads) in blocks of 100 ms.

    `realtime` hands each block out when it would have been recorded, measured from the first one,
    so that the pace never drifts. `fast` never waits.
    """

    def __init__(
        self,
        name: str,
        path: Path,
        pace: Literal["realtime", "fast"] = "realtime",
        started_at: float | None = None,
        *,
        channel: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        """Prepare to read `path`; nothing is opened yet.

        Args:
            started_at: Unix time of the first sample; None is now for `realtime`, 0.0 for `fast`.
            channel: the one that will be listened to, from 1; None is all.
            clock: seconds that only ever go forward.
            sleep: waits for so many seconds; None waits until `close` at most.
        """
        self.name = name
        self.health = OK
        """What its sound lacks; read in other threads."""
        self._path = path
        self._pace = pace
        self._started_at = started_at
        self._channel = channel
        self._clock = clock
        self.seconds = 0.0
        """Length of what has been read so far."""
        self._closed = threading.Event()
        self._sleep = sleep or self._closed.wait

    def blocks(self) -> Iterator[Block]:
        """Yield the recording; where it is damaged, what comes before and a warning.

        Raises:
            AudioError: there is no such file, no sound in it, or not the channel to listen to.
        """
        with self._open() as file:
            check_sample_rate(self._path, file.sample_rate)
            if self._channel is not None and self._channel > file.channels:
                raise AudioError(
                    f"{self._path}: expected a channel {self._channel}, got {file.channels} only"
                )
            stream = self._stream(file.sample_rate, file.channels)
            if lack := lack_of_rate(stream.sample_rate):
                self.health = Health("ok", lack)
                _log.warning("%s: %s", self._path, lack)
            began, position = self._clock(), 0
            for samples in _read(file, self._path):
                if self._pace == "realtime":
                    due = began + (position + len(samples)) / stream.sample_rate
                    # An overslept block is late by itself; the next is due when it always was.
                    if (wait := due - self._clock()) > 0:
                        self._sleep(wait)
                if self._closed.is_set():
                    return
                yield Block(stream, position, samples)
                position += len(samples)
                self.seconds = position / stream.sample_rate

    def close(self) -> None:
        """Make `blocks` return at its next block."""
        self._closed.set()

    @contextmanager
    def _open(self) -> Iterator[SoundFile]:
        try:
            raw = self._path.open("rb", buffering=0)
        except OSError as exc:
            raise AudioError(f"{self._path}: cannot be opened: {exc.strerror}") from exc
        with raw, open_sound_file(raw.fileno(), str(self._path)) as file:
            yield file

    def _stream(self, sample_rate: int, channels: int) -> Stream:
        live = self._pace == "realtime"
        started_at = self._started_at
        if started_at is None:
            started_at = time.time() if live else 0.0
        return Stream(self.name, sample_rate, channels, started_at, live)


def check_sample_rate(path: Path | str, sample_rate: int) -> None:
    """Refuse a rate in hertz that no recording has.

    Raises:
        AudioError: it is below 1 kHz or above 384.
    """
    if not _SLOWEST <= sample_rate <= _FASTEST:
        raise AudioError(
            f"{path}: expected {_SLOWEST} to {_FASTEST} samples a second, got {sample_rate}"
        )


def _read(file: SoundFile, path: Path) -> Iterator[NDArray[np.float32]]:
    """Yield (n, channels) float32 to the end of the file or to where it is damaged."""
    block, total = max(file.sample_rate // _BLOCKS_PER_SECOND, 1), 0
    while len(samples := file.read(block)):
        total += len(samples)
        yield samples
    if total == 0:
        raise AudioError(f"{path}: expected sound, got a recording without any sample")
    if file.damage is not None:
        seconds = total / file.sample_rate
        _log.warning("%s: the recording is damaged after %.1f s: %s", path, seconds, file.damage)
