"""Audio files and members of tar shards as samples."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from ast_edge.audio.ffmpeg_file import FfmpegFile
from ast_edge.audio.sound_file import open_sound_file
from ast_edge.base.errors import AudioError

BLOCK = 1 << 15
"""Samples that are decoded at once; libsndfile fills what is left of a block with zeros, which is
as slow as decoding."""


@dataclass(frozen=True)
class AudioBytes:
    """Where an encoded recording lies: a file, or a stretch of one."""

    path: Path
    offset: int | None = None
    """First byte within a tar shard; None for a file of its own."""
    size: int | None = None

    def __str__(self) -> str:
        return str(self.path) if self.offset is None else f"{self.path} at byte {self.offset}"

    @contextmanager
    def open(self) -> Iterator[int]:
        """Give a descriptor of a file that holds the recording and nothing else.

        Raises:
            AudioError: if the file is missing, empty or too short.
        """
        try:
            with self.path.open("rb", buffering=0) as file:
                if self.offset is None:
                    if not os.fstat(file.fileno()).st_size:
                        raise AudioError(f"{self}: is empty or cut short")
                    yield file.fileno()
                    return
                # Opened each time: 10 us beside milliseconds of decoding, and safe in any fork.
                data = os.pread(file.fileno(), self.size or 0, self.offset)
        except OSError as exc:
            raise AudioError(f"{self}: cannot be read: {exc.strerror}") from exc
        if len(data) != self.size:
            raise AudioError(f"{self}: is empty or cut short")
        with os.fdopen(os.memfd_create("recording"), "wb", buffering=0) as memory:
            memory.write(data)
            memory.seek(0)  # libsndfile begins where the descriptor is
            yield memory.fileno()

    def sha256(self) -> str:
        """Compute the sum of its bytes.

        Raises:
            AudioError: if it cannot be read.
        """
        digest = hashlib.sha256()
        try:
            with self.path.open("rb") as file:
                file.seek(self.offset or 0)
                left = self.path.stat().st_size if self.size is None else self.size
                while left > 0 and (piece := file.read(min(left, 1 << 20))):
                    digest.update(piece)
                    left -= len(piece)
        except OSError as exc:
            raise AudioError(f"{self}: cannot be read: {exc.strerror}") from exc
        return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class Sound:
    """A decoded recording."""

    samples: NDArray[np.float32]
    """(samples,) mono, full scale at 1.0."""
    rate: int
    """Hertz."""
    channels: int
    """Of the file; `samples` is their mean."""
    by_ffmpeg: bool = False
    """Whether a process of ffmpeg has decoded it, which takes longer and must be installed."""


def decode(source: AudioBytes) -> Sound:
    """Decode a recording to its end, by ffmpeg where libsndfile cannot.

    Raises:
        AudioError: if it is missing, damaged or cut short, or has no or not finite samples.
    """
    pieces: list[NDArray[np.float32]] = []
    try:
        with source.open() as descriptor, open_sound_file(descriptor, str(source)) as file:
            # A WAV that announces more than it has is good as far as it goes.
            announced = file.damage
            while len(samples := file.read(BLOCK)):
                pieces.append(samples.mean(axis=1, dtype=np.float32))
            if file.damage != announced:
                raise AudioError(f"{source}: is damaged or cut short: {file.damage}")
            by_ffmpeg = isinstance(file, FfmpegFile)
    except MemoryError as exc:
        raise AudioError(f"{source}: is damaged, or too long for the memory ({exc})") from exc
    if not pieces:
        raise AudioError(f"{source}: holds no sample")
    mono = np.concatenate(pieces)
    if not np.isfinite(mono).all():
        raise AudioError(f"{source}: holds samples that are not finite")
    return Sound(mono, file.sample_rate, file.channels, by_ffmpeg)


def resample(sound: Sound, rate: int) -> NDArray[np.float32]:
    """Convert a sound to another rate (samples,)."""
    if sound.rate == rate:
        return sound.samples
    return np.asarray(soxr.resample(sound.samples, sound.rate, rate), np.float32)


def read_audio(path: Path, sample_rate: int) -> NDArray[np.float32]:
    """Read a file as mono at the wanted rate, full scale at 1.0 (samples,).

    Raises:
        AudioError: if it cannot be read, is empty or cut short, or holds samples that are not
            finite.
    """
    return resample(decode(AudioBytes(path)), sample_rate)
