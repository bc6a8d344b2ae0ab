"""Recordings as a source: played like a microphone, or as fast as they can be read."""

import logging
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile
from numpy.typing import NDArray

from ast_edge.audio import Block, Stream
from ast_edge.errors import AudioError

_log = logging.getLogger(__name__)

AUDIO_SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif", ".au"})
"""Of the recordings in a folder; what is named by itself is read whatever its name."""

_BLOCKS_PER_SECOND = 10
# A WAV written to a pipe cannot know its length and claims about 2 or 4 GiB.
_UNKNOWN_LENGTH = 0x7FFF0000
_SLOWEST, _FASTEST = 1000, 384_000


class _ForwardFile(soundfile.SoundFile):  # type: ignore[misc]  # soundfile has no types
    """A sound file that is read from start to end only.

    soundfile seeks to where it is after every read of a seekable file, and after a seek libsndfile
    decodes MP3 wrongly: what the next frame needs of the one before is gone.
    """

    def seekable(self) -> bool:
        """Say no."""
        return False


class RecordingSource:
    """A file (WAV, FLAC, OGG, MP3) in blocks of 100 ms.

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
            if not _SLOWEST <= file.samplerate <= _FASTEST:
                raise AudioError(
                    f"{self._path}: expected {_SLOWEST} to {_FASTEST} samples a second, "
                    f"got {file.samplerate}"
                )
            if self._channel is not None and self._channel > file.channels:
                raise AudioError(
                    f"{self._path}: expected a channel {self._channel}, got {file.channels} only"
                )
            stream = self._stream(file.samplerate, file.channels)
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
    def _open(self) -> Iterator[soundfile.SoundFile]:
        try:
            raw = self._path.open("rb", buffering=0)
        except OSError as exc:
            raise AudioError(f"{self._path}: cannot be opened: {exc.strerror}") from exc
        with raw:
            try:
                # By descriptor: a name that ends in .raw would be taken for headerless PCM.
                file = _ForwardFile(raw.fileno(), closefd=False)
            except soundfile.LibsndfileError as exc:
                size = os.fstat(raw.fileno()).st_size
                got = f"{size} bytes of something else" if size else "an empty file"
                raise AudioError(
                    f"{self._path}: expected a WAV, FLAC, OGG or MP3 recording, got {got}"
                ) from exc
            with file:
                yield file

    def _stream(self, sample_rate: int, channels: int) -> Stream:
        live = self._pace == "realtime"
        started_at = self._started_at
        if started_at is None:
            started_at = time.time() if live else 0.0
        return Stream(self.name, sample_rate, channels, started_at, live)


def _read(file: soundfile.SoundFile, path: Path) -> Iterator[NDArray[np.float32]]:
    """Yield (n, channels) float32 to the end of the file or to where it is damaged."""
    block, total = max(file.samplerate // _BLOCKS_PER_SECOND, 1), 0
    damage = _claims_more(file)
    while True:
        try:
            samples = file.read(block, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as exc:
            damage = exc.error_string
            break
        if len(samples) == 0:
            break
        total += len(samples)
        yield samples
    if total < file.frames and damage is None:
        damage = f"{file.frames / file.samplerate:.1f} s were announced"
    if total == 0:
        raise AudioError(f"{path}: expected sound, got a recording without any sample")
    if damage is not None:
        _log.warning(
            "%s: the recording is damaged after %.1f s: %s", path, total / file.samplerate, damage
        )


def _claims_more(file: soundfile.SoundFile) -> str | None:
    """Say how much a WAV's header announces where the file is shorter.

    libsndfile corrects the length and mentions it in its log only.
    """
    found = re.search(r"^data : (\d+) \(should be (\d+)\)", file.extra_info, re.MULTILINE)
    if found is None or not int(found[2]) < int(found[1]) < _UNKNOWN_LENGTH:
        return None
    return f"its header announces {found[1]} bytes of sound, {found[2]} are there"
