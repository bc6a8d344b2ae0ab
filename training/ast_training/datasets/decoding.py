"""Audio files and members of tar shards as samples."""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from ast_edge.errors import AudioError


@dataclass(frozen=True)
class AudioBytes:
    """Where an encoded recording lies: a file, or a stretch of one."""

    path: Path
    offset: int | None = None
    """First byte within a tar shard; None for a file of its own."""
    size: int | None = None

    def __str__(self) -> str:
        return str(self.path) if self.offset is None else f"{self.path} at byte {self.offset}"

    def open(self) -> Path | io.BytesIO:
        """Give what libsndfile can read: the file, or the stretch of it in memory.

        Raises:
            AudioError: if the file is missing, empty or too short.
        """
        try:
            if self.offset is None:
                opened: Path | io.BytesIO = self.path
                complete = self.path.stat().st_size > 0
            else:
                # Opened each time: 10 us beside milliseconds of decoding, and safe in any fork.
                with self.path.open("rb") as file:
                    file.seek(self.offset)
                    data = file.read(self.size)
                opened, complete = io.BytesIO(data), len(data) == self.size
        except OSError as exc:
            raise AudioError(f"{self}: cannot be read: {exc.strerror}") from exc
        if not complete:
            raise AudioError(f"{self}: is empty or cut short")
        return opened

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


def decode(source: AudioBytes) -> Sound:
    """Decode a recording.

    Raises:
        AudioError: if it is missing, damaged or cut short, or has no or not finite samples.
    """
    try:
        with soundfile.SoundFile(source.open()) as file:
            frames, rate = file.frames, file.samplerate
            samples = file.read(dtype="float32", always_2d=True)
    except soundfile.SoundFileError as exc:
        reason = str(exc).rsplit(": ", 1)[-1].rstrip(".")
        raise AudioError(f"{source}: cannot be decoded: {reason}") from exc
    except MemoryError as exc:
        raise AudioError(f"{source}: is damaged, or too long for the memory ({exc})") from exc
    if len(samples) < frames:
        raise AudioError(f"{source}: is cut short ({len(samples)} of {frames} samples)")
    if not len(samples):
        raise AudioError(f"{source}: holds no sample")
    mono = samples.mean(axis=1, dtype=np.float32)
    if not np.isfinite(mono).all():
        raise AudioError(f"{source}: holds samples that are not finite")
    return Sound(mono, rate, samples.shape[1])


def resample(sound: Sound, rate: int) -> NDArray[np.float32]:
    """Convert a sound to another rate (samples,)."""
    if sound.rate == rate:
        return sound.samples
    return np.asarray(soxr.resample(sound.samples, sound.rate, rate), np.float32)
