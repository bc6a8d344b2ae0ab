"""A recording that is read in stretches which overlap."""

import os
import stat
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray

from ast_edge.archive.fingerprint import Fingerprint, fingerprint_of
from ast_edge.archive.remote import fetched, is_remote
from ast_edge.audio.sound_file import SoundFile, open_sound_file
from ast_edge.audio.stream import Block, Stream
from ast_edge.base.errors import AudioError
from ast_edge.sources.recording import check_sample_rate

_BLOCKS_PER_SECOND = 10


class Reading:
    """The sound of an open recording, from any second on that is later than the one before.

    What has been read and may be asked for again is kept: `keep` says from where on.
    """

    def __init__(
        self,
        name: str,
        file: SoundFile,
        channel: int | None,
        look: Callable[[], Fingerprint],
        *,
        is_copy: bool,
    ) -> None:
        """Take an open recording.

        Args:
            name: what messages call it.
            file: its decoder.
            channel: the only one to listen to, from 1.
            look: tells what the recording is by now.
            is_copy: whether it was fetched for this reading, which better hears all of it.
        """
        self._name, self._file, self._look = name, file, look
        self.sample_rate, self.channels = file.sample_rate, file.channels
        length = None if is_copy else file.length
        self.seconds = None if length is None else length / file.sample_rate
        """Its length, where several may read it from anywhere."""
        self.fingerprint = look()
        self._channel = _index(name, channel, self.channels)
        self._at = 0
        """Sample that is decoded next."""
        self._keep: int | None = None
        self._kept: deque[tuple[int, NDArray[np.float32]]] = deque()
        self._block = max(self.sample_rate // _BLOCKS_PER_SECOND, 1)
        self._ended = False
        self._unreachable: str | None = None

    @property
    def damage(self) -> str | None:
        """What is wrong with the recording, as far as it has been read."""
        return self._unreachable or self._file.damage

    @property
    def read_seconds(self) -> float:
        """Where the decoder is."""
        return self._at / self.sample_rate

    def keep(self, second: int) -> None:
        """Remember what is read from here on, for another look."""
        self._keep = second * self.sample_rate

    def blocks(self, second: int) -> Iterator[Block]:
        """Yield the sound from a second on, as a stream that begins there.

        Raises:
            AudioError: there is no sound in it, or it cannot be read from there on.
        """
        start, position = second * self.sample_rate, 0
        channels = 1 if self._channel is not None else self.channels
        stream = Stream(PurePath(self._name).stem, self.sample_rate, channels, float(second), False)
        for samples in self._samples(start):
            yield Block(stream, position, samples)
            position += len(samples)
        if self._at == 0:
            raise AudioError(f"{self._name}: expected sound, got a recording without any sample")

    def check(self) -> None:
        """Refuse a recording that another program writes.

        Raises:
            AudioError: it is not what it was when it was opened.
        """
        now = self._look()
        if now != self.fingerprint:
            raise AudioError(
                f"{self._name}: was changed while it was read (from {self.fingerprint.size} bytes "
                f"to {now.size}); take it up again by --resume when it is complete"
            )

    def _samples(self, start: int) -> Iterator[NDArray[np.float32]]:
        """Yield samples (n, channels) from one on, in blocks."""
        while self._kept and self._kept[0][0] + len(self._kept[0][1]) <= start:
            self._kept.popleft()
        for at, samples in list(self._kept):
            yield samples[max(0, start - at) :]
        if self._at < start and self._file.length is not None:
            self._seek(start)
        while not self._ended:
            samples, at = self._decode()
            if at + len(samples) > start:
                yield samples[max(0, start - at) :]

    def _seek(self, start: int) -> None:
        """Go to a sample; where there is no way to it, the recording ends before."""
        self._at = start
        try:
            self._file.seek(start)
        except AudioError as exc:
            self._ended, self._unreachable = True, str(exc)

    def _decode(self) -> tuple[NDArray[np.float32], int]:
        samples, at = self._file.read(self._block), self._at
        self._at += len(samples)
        self._ended = not len(samples)
        if self._channel is not None:
            samples = samples[:, self._channel : self._channel + 1]
        if self._keep is not None and self._at > self._keep:
            self._kept.append((at, samples))
        return samples, at


@contextmanager
def open_reading(name: str, channel: int | None) -> Iterator[Reading]:
    """Open a recording of this machine, or a copy of one elsewhere.

    Raises:
        AudioError: it cannot be opened or is no recording, or it has no such channel.
    """
    is_copy = is_remote(name)
    with (_copied if is_copy else _opened)(name) as (fd, look), open_sound_file(fd, name) as file:
        check_sample_rate(name, file.sample_rate)
        yield Reading(name, file, channel, look, is_copy=is_copy)


_Opened = tuple[int, Callable[[], Fingerprint]]
"""A file that is open for reading, and what tells what the recording is by now."""


@contextmanager
def _opened(name: str) -> Iterator[_Opened]:
    try:
        # A pipe without a writer would be waited for until somebody opens it.
        fd = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as exc:
        raise AudioError(f"{name}: cannot be opened: {exc.strerror}") from exc
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise AudioError(f"{name}: expected a file, got something else")
        yield fd, partial(fingerprint_of, fd)
    finally:
        os.close(fd)


@contextmanager
def _copied(address: str) -> Iterator[_Opened]:
    with fetched(address) as (fd, fingerprint):
        yield fd, lambda: fingerprint


def _index(name: str, channel: int | None, channels: int) -> int | None:
    """Return the index of the channel; what has only one is taken to be that."""
    if channel is None:
        return None
    if channels > 1 and channel > channels:
        raise AudioError(f"{name}: expected a channel {channel}, got {channels} only")
    return channel - 1 if channels > 1 else 0
