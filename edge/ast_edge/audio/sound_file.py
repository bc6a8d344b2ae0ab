"""Recordings, decoded from start to end: by libsndfile where it can be trusted, else by ffmpeg."""

import io
import logging
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import numpy as np
import soundfile
from numpy.typing import NDArray

from ast_edge.audio.ffmpeg import find_ffmpeg
from ast_edge.audio.ffmpeg_file import FfmpegFile
from ast_edge.audio.sound_header import Patch, mp3_says_its_length, ogg_is_chained, wav_patches
from ast_edge.base.errors import AudioError

_log = logging.getLogger(__name__)

AUDIO_SUFFIXES = frozenset(
    {
        ".3gp",
        ".aac",
        ".aif",
        ".aifc",
        ".aiff",
        ".amr",
        ".au",
        ".caf",
        ".flac",
        ".m4a",
        ".m4b",
        ".mka",
        ".mkv",
        ".mov",
        ".mp2",
        ".mp3",
        ".mp4",
        ".oga",
        ".ogg",
        ".opus",
        ".rf64",
        ".w64",
        ".wav",
        ".wave",
        ".webm",
        ".wma",
    }
)
"""Of the recordings in a folder; what is named by itself is read whatever its name."""

# A WAV written to a pipe cannot know its length and claims about 2 or 4 GiB.
_UNKNOWN_BYTES = 0x7FFF0000
_UNKNOWN_FRAMES = 1 << 40
"""More than any recording has: what libsndfile says where the file does not."""
_EXACT_FORMATS = {"WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF", "FLAC"}
_EXACT_SUBTYPES = frozenset(
    "PCM_S8 PCM_U8 PCM_16 PCM_24 PCM_32 FLOAT DOUBLE ULAW ALAW".split()  # noqa: SIM905
)
"""Where a sample does not depend on those before it (of FLAC: that are not in its frame)."""


class SoundFile(Protocol):
    """A recording that is being decoded."""

    sample_rate: int
    """Hertz."""
    channels: int
    damage: str | None
    """What is wrong with it, as far as it has been read."""
    length: int | None
    """Its samples, where `seek` may go to any; None where it is read from start to end only."""

    def seek(self, sample: int) -> None:
        """Let the next `read` begin there; only where the length is known.

        Raises:
            AudioError: it is damaged before.
        """
        ...

    def read(self, frames: int) -> NDArray[np.float32]:
        """Return the next samples (n, channels), full scale at 1.0; n is 0 at the end."""
        ...

    def close(self) -> None:
        """End the decoding."""
        ...


@contextmanager
def open_sound_file(fd: int, name: str) -> Iterator[SoundFile]:
    """Open the recording that `fd` has open for reading; it stays the caller's to close.

    For one in memory, `fd` is that of an `os.memfd_create`.

    Args:
        name: what messages call it.

    Raises:
        AudioError: it is no recording, or none that can be read without ffmpeg, which is absent.
    """
    file = _open(fd, name)
    try:
        yield file
    finally:
        file.close()


def _open(fd: int, name: str) -> SoundFile:
    if not stat.S_ISREG(os.fstat(fd).st_mode):  # a pipe, which cannot be looked at twice
        return _LibsndfileFile(fd, name)
    try:
        file = _LibsndfileFile(fd, name, wav_patches(fd))
    except AudioError as exc:
        if os.fstat(fd).st_size == 0:
            raise
        return _open_by_ffmpeg(fd, exc)
    if file.has_known_length(fd):
        return file
    try:
        instead = FfmpegFile(fd)
    except AudioError as exc:
        if not file.is_empty:
            _log.warning("%s: it does not say its length, and the end may be lost: %s", name, exc)
        return file
    file.close()
    return instead


def _open_by_ffmpeg(fd: int, refusal: AudioError) -> FfmpegFile:
    """Open what libsndfile has refused."""
    try:
        find_ffmpeg("any other")
    except AudioError as exc:
        raise AudioError(f"{refusal}; {exc}") from exc
    try:
        return FfmpegFile(fd)
    except AudioError as exc:
        raise refusal from exc


class _ForwardFile(soundfile.SoundFile):  # type: ignore[misc]  # soundfile has no types
    """A sound file that is read from start to end only.

    soundfile seeks to where it is after every read of a seekable file, and after a seek libsndfile
    decodes MP3 wrongly: what the next frame needs of the one before is gone.
    """

    def seekable(self) -> bool:
        """Say no."""
        return False


class _LibsndfileFile:
    """A recording that libsndfile decodes."""

    def __init__(self, fd: int, name: str, patches: list[Patch] | None = None) -> None:
        """Open it; raises AudioError if it is something else."""
        try:
            # By descriptor: a name that ends in .raw would be taken for headerless PCM.
            what = _Patched(fd, patches) if patches else fd
            self._file = _ForwardFile(what, closefd=False)
        except soundfile.LibsndfileError as exc:
            size = os.fstat(fd).st_size
            got = f"{size} bytes of something else" if size else "an empty file"
            raise AudioError(
                f"{name}: expected a WAV, FLAC, OGG or MP3 recording, got {got}"
            ) from exc
        self._name = name
        self.sample_rate: int = self._file.samplerate
        self.channels: int = self._file.channels
        self.damage = self._claims_more()
        self._promised: int = self._file.frames
        """Samples that there must be, or more than any file has."""
        self._total = 0
        exact = self._file.format in _EXACT_FORMATS and self._file.subtype in _EXACT_SUBTYPES
        regular = stat.S_ISREG(os.fstat(fd).st_mode)
        known = exact and regular and 0 < self._promised < _UNKNOWN_FRAMES
        self.length = self._promised if known else None

    @property
    def is_empty(self) -> bool:
        """Whether it has no sound, as libsndfile sees it."""
        empty: bool = self._file.frames == 0
        return empty

    def has_known_length(self, fd: int) -> bool:
        """Tell whether libsndfile reads it to its end, which it does not where it guesses."""
        if "MPEG" in self._file.subtype:
            known = self._file.format == "MP3" and mp3_says_its_length(fd)
            if not known:
                self._promised = 0
            return known
        if self._file.format == "OGG":
            return not ogg_is_chained(fd)
        return not self.is_empty or self._file.format.startswith("WAV")

    def seek(self, sample: int) -> None:
        """Let the next `read` begin there."""
        try:
            self._total = self._file.seek(sample)
        except soundfile.LibsndfileError as exc:
            second = sample / self.sample_rate
            raise AudioError(
                f"{self._name}: cannot be read from {second:.0f} s on: {exc.error_string}"
            ) from exc

    def read(self, frames: int) -> NDArray[np.float32]:
        """Return the next samples (n, channels), full scale at 1.0; n is 0 at the end."""
        samples = np.empty((frames, self.channels), np.float32)
        try:
            samples = samples[: self._file.buffer_read_into(samples, dtype="float32")]
        except soundfile.LibsndfileError as exc:
            self.damage = exc.error_string
            return np.empty((0, self.channels), np.float32)
        self._total += len(samples)
        if not len(samples) and self._total < self._promised < _UNKNOWN_FRAMES:
            self.damage = self.damage or f"{self._promised / self.sample_rate:.1f} s were announced"
        return samples

    def close(self) -> None:
        """End the decoding."""
        self._file.close()

    def _claims_more(self) -> str | None:
        """Say how much a WAV's header announces where the file is shorter.

        libsndfile corrects the length and mentions it in its log only.
        """
        log = self._file.extra_info
        found = re.search(r"^data : (\d+) \(should be (\d+)\)", log, re.MULTILINE)
        if found is None or not int(found[2]) < int(found[1]) < _UNKNOWN_BYTES:
            return None
        return f"its header announces {found[1]} bytes of sound, {found[2]} are there"


class _Patched(io.RawIOBase):
    """A file in which some bytes are others."""

    def __init__(self, fd: int, patches: list[Patch]) -> None:
        self._fd, self._patches = fd, patches
        self._at = 0

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill the buffer from where we are."""
        data = bytearray(os.pread(self._fd, len(buffer), self._at))
        for patch in self._patches:
            for offset, byte in enumerate(patch.data, patch.offset - self._at):
                if 0 <= offset < len(data):
                    data[offset] = byte
        memoryview(buffer)[: len(data)] = data
        self._at += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go elsewhere."""
        bases = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: os.fstat(self._fd).st_size}
        self._at = max(bases[whence] + offset, 0)
        return self._at

    def tell(self) -> int:
        """Say where we are."""
        return self._at

    def write(self, data: object) -> int:
        """Refuse: soundfile looks for it, and never calls it."""
        raise io.UnsupportedOperation("read only")
