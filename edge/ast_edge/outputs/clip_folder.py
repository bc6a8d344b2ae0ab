"""The folder of clips: written whole or not at all, bounded in age and size."""

import contextlib
import errno
import io
import os
import re
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from ast_edge.base.clock import FIRST_TIME, SINCE_BOOT, ClockSetting
from ast_edge.base.errors import ConfigError
from ast_edge.detection.event import Event

_NAME = re.compile(r"[A-Za-z0-9_-]+_[a-z0-9_]+_\d{8}T\d{6}Z_[0-9a-f]{32}\.flac(\.partial)?")
_CLIP = re.compile(r".*_([0-9a-f]{32})\.flac", re.DOTALL)
_LONGEST = 80
"""Characters of a source and of a label in a name; file systems allow 255 in all."""
_LAST_FREE_RATE, _COMMON_RATE = 65535, 48_000
"""FLAC has all rates up to the first, and multiples of ten above."""
GRACE = 3600.0
"""Seconds for which a clip must look too old, or be of the future, without a break before that is
believed: a clock that is wrong is mostly set right within minutes of the start."""


@dataclass(frozen=True, eq=False)
class Clip:
    """The sound of one event."""

    name: str
    """Of its file."""
    sample_rate: int
    """Hertz."""
    samples: NDArray[np.int16]
    """(samples,)."""


def clip_name(event: Event) -> str:
    """Return the name of an event's file: source, label, onset in UTC and the event's id.

    Whatever the four are, it names a file in the folder and nothing outside.
    """
    onset = datetime.fromtimestamp(event.onset, timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    source = re.sub(r"[^A-Za-z0-9_-]", "_", event.source)[:_LONGEST]
    return f"{source}_{event.label.slug[:_LONGEST]}_{onset}_{_hex(event.id)}.flac"


def _hex(identifier: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{32}", identifier):
        raise ValueError(f"expected an id of 32 hexadecimal digits, got {identifier!r}")
    return identifier


def clip_id(path: Path) -> str | None:
    """Return the id of the event that a file is the clip of, by its name; None if it is none."""
    found = _CLIP.fullmatch(path.name)
    return found[1] if found else None


def find_clips(folder: Path) -> dict[str, Path]:
    """Return the clips in a folder by the ids of their events; links are none.

    Raises:
        OSError: the folder cannot be read.
    """
    found = ((path, clip_id(path)) for path in folder.iterdir())
    return {name: path for path, name in found if name and not path.is_symlink()}


class ClipFolder:
    """Writes clips and deletes the oldest; files with other names are never touched.

    A clip's age is that of its file. The wall clock says it, and may be wrong: what this run has
    written is dated anew when the clock is set; and what only a wrong clock can have dated, once
    it has looked like that for an hour, begins to age then.

    Raises:
        ConfigError: it cannot be made or written to.
    """

    def __init__(
        self,
        path: Path,
        *,
        max_age: float,
        max_bytes: int,
        min_free_bytes: int,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = SINCE_BOOT,
    ) -> None:
        self.path = path
        self._own: set[str] = set()
        """Names of the clips of this run."""
        self._suspected: dict[str, float] = {}
        """Names of clips whose date looks wrong or too old, and since when (`steady`)."""
        self._max_age, self._max_bytes, self._min_free = max_age, max_bytes, min_free_bytes
        self._wall, self._steady = wall, steady
        self._clock_setting = ClockSetting(wall, steady)
        make_folder(path)
        for partial in path.glob("*.partial"):  # of a run that was killed
            if _NAME.fullmatch(partial.name):
                with contextlib.suppress(OSError):  # it does no harm
                    partial.unlink()

    def write(self, clip: Clip) -> Path:
        """Write a clip as FLAC, for this user alone, after making room for it.

        Raises:
            OSError: it cannot be written; nothing of it is left.
        """
        content = _flac(clip)
        if len(content) > self._max_bytes:
            raise OSError(
                errno.EFBIG, f"a clip of {len(content)} bytes is more than max_bytes for all"
            )
        self.prune(coming=len(content))
        free = shutil.disk_usage(self.path).free
        if self._min_free and free - len(content) < self._min_free:
            raise OSError(
                errno.ENOSPC, f"{free} bytes are free, min_free_bytes is {self._min_free}"
            )
        path = self.path / clip.name
        partial = path.with_name(path.name + ".partial")
        # Not through a link that somebody has put there.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        try:
            with os.fdopen(os.open(partial, flags, 0o600), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())  # or a power cut could leave the name without the sound
            partial.replace(path)
        except OSError:
            partial.unlink(missing_ok=True)
            raise
        self._own.add(path.name)
        return path

    def prune(self, coming: int = 0) -> None:
        """Delete what is too old, and the oldest until so many bytes more fit.

        Raises:
            OSError: the folder cannot be read, or a clip not be deleted.
        """
        self._follow_clock()
        clips = self._clips()
        self._own &= {path.name for *_, path in clips}
        total = coming + sum(size for _, _, size, _ in clips)
        suspected, self._suspected = self._suspected, {}
        for _, modified, size, path in sorted(clips):
            if total > self._max_bytes or self._is_too_old(path, modified, suspected):
                path.unlink(missing_ok=True)
                total -= size

    def _clips(self) -> list[tuple[bool, float, int, Path]]:
        """Return whether each is of this run, its time (unix seconds), its bytes and its path."""
        clips = []
        for path in self.path.iterdir():
            if _NAME.fullmatch(path.name):
                with contextlib.suppress(FileNotFoundError):  # deleted by its owner
                    status = path.lstat()
                    own = path.name in self._own
                    clips.append((own, status.st_mtime, status.st_size, path))
        return clips

    def _is_too_old(self, path: Path, modified: float, suspected: Mapping[str, float]) -> bool:
        """Tell whether a clip is to be deleted; one that only a wrong clock can have dated is not.

        `suspected` is since when some have looked like that.
        """
        wall, now = self._wall(), self._steady()
        misdated = modified < FIRST_TIME or modified > wall + GRACE
        if wall < FIRST_TIME or not (misdated or wall - modified > self._max_age):
            return False
        since = suspected.get(path.name, now)
        if now - since < min(GRACE, self._max_age):
            self._suspected[path.name] = since
            return False
        if misdated:
            os.utime(path, (wall, wall), follow_symlinks=False)
        return not misdated

    def _follow_clock(self) -> None:
        """Keep the ages of this run's clips when the wall clock is set."""
        jump = self._clock_setting.feed()
        for name in self._own if jump else ():
            with contextlib.suppress(FileNotFoundError):
                modified = max(0.0, (self.path / name).lstat().st_mtime + jump)
                os.utime(self.path / name, (modified, modified), follow_symlinks=False)


def make_folder(path: Path) -> None:
    """Make a folder for clips if there is none.

    Raises:
        ConfigError: it cannot be made or written to.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise ConfigError(
            f"clips.folder: {path}: cannot be made: {exc.strerror}; give a folder that this "
            "user may write to"
        ) from exc
    if not os.access(path, os.W_OK | os.X_OK):
        raise ConfigError(
            f"clips.folder: {path}: may not be written to by this user; give another folder"
        )


def _flac(clip: Clip) -> bytes:
    """Encode in memory: libsndfile cannot say why a file could not be written."""
    file, samples, rate = io.BytesIO(), clip.samples, clip.sample_rate
    if rate > _LAST_FREE_RATE and rate % 10:
        samples, rate = soxr.resample(samples, rate, _COMMON_RATE), _COMMON_RATE
    try:
        soundfile.write(file, samples, rate, format="FLAC", subtype="PCM_16")
    except soundfile.LibsndfileError as exc:
        raise OSError(errno.EIO, f"libsndfile: {exc.error_string}") from exc
    return file.getvalue()
