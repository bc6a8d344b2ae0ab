"""Segments: decoded recordings in a file of 16-bit samples (NAME.pcm) and a list (NAME.json).

The list is written last: without it there is no segment. A segment is made once and never changed.

It is read, not mapped: a map of a file that somebody cuts short kills the process that looks at it.
What was read once is in the memory of the system, which all processes share either way.
"""

import json
import os
import weakref
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from ast_edge.base.errors import AudioError
from ast_edge.base.files import atomic_file
from ast_training.data.activity import loud_runs
from ast_training.data.decoding import AudioBytes, read_audio

FORMAT = 1
"""Counts the ways in which recordings were decoded: what an older one made is not used."""
SEGMENT_BYTES = 1 << 30
"""A segment ends behind the recording that makes it larger: so much work a crash costs at most."""
SCALE = np.float32(32768)
"""Of 16-bit files, which are kept as they are."""

Read = Callable[[Path, int], NDArray[np.float32]]
"""Reads a file at a sample rate."""
Identity = list[int]
"""Size, times of the last change of content and of anything (ns), and inode of a file."""


def as_floats(samples: NDArray[np.int16]) -> NDArray[np.float32]:
    """Scale 16-bit samples to full scale at 1.0."""
    return samples.astype(np.float32) / SCALE


def as_16_bit(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    """Round samples to those of 16-bit files, which stay what they are."""
    rounded: NDArray[np.int16] = np.rint(samples * SCALE).clip(-32768, 32767).astype(np.int16)
    return rounded


@dataclass(frozen=True, eq=False)
class Decoded:
    """A decoded recording."""

    samples: NDArray[np.int16]
    """(samples,) mono."""
    runs: NDArray[np.int32]
    """(runs, 2) where it is loud: see `loud_runs`."""
    identity: Identity
    """Of its file before it was decoded."""

    @classmethod
    def of(cls, path: Path, sample_rate: int, read: Read | None = None) -> "Decoded":
        """Decode a file, by `read_audio` unless another way is given.

        Raises:
            AudioError: if it cannot be used.
        """
        identity = _identity(path)
        kept = as_16_bit((read or read_audio)(path, sample_rate))
        return cls(kept, loud_runs(as_floats(kept), sample_rate), identity)

    def __len__(self) -> int:
        return len(self.samples)


class SegmentFile:
    """The samples of a segment; can be sent to another process, and read on when it is deleted."""

    def __init__(self, path: Path) -> None:
        """Open them.

        Raises:
            OSError: if they are gone.
        """
        self.path = path
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self._descriptor)

    def __reduce__(self) -> tuple[type["SegmentFile"], tuple[Path]]:
        return SegmentFile, (self.path,)

    def read(self, at: int, size: int) -> bytearray:
        """Read `size` bytes; processes that share the open file do not disturb one another.

        Raises:
            AudioError: if there are fewer.
        """
        data, done = bytearray(size), 0
        try:
            while done < size:
                rest = memoryview(data)[done:]
                more = os.preadv(self._descriptor, [rest], at + done)
                if not more:
                    raise AudioError(f"{self.path}: was cut short; start again to make it anew")
                done += more
        except OSError as exc:
            raise AudioError(f"{self.path}: cannot be read: {exc.strerror}") from exc
        return data


@dataclass(frozen=True, eq=False)
class Kept:
    """A decoded recording that lies in a segment."""

    file: SegmentFile
    at: int
    count: int
    """Samples."""
    run_count: int

    @property
    def samples(self) -> NDArray[np.int16]:
        """Read them (samples,)."""
        return np.frombuffer(self.file.read(self.at, 2 * self.count), np.int16)

    @property
    def runs(self) -> NDArray[np.int32]:
        """Read where it is loud (runs, 2)."""
        data = self.file.read(self.at + 2 * self.count, 8 * self.run_count)
        return np.frombuffer(data, np.int32).reshape(-1, 2)

    def __len__(self) -> int:
        return self.count

    def crc32(self) -> int:
        """Sum up what is read."""
        return zlib.crc32(self.file.read(self.at, 2 * self.count + 8 * self.run_count))


def read_segment(index: Path, wanted: Mapping[str, Path], sample_rate: int) -> dict[Path, Kept]:
    """Find the recordings of a segment that are wanted and are still those that were decoded.

    Args:
        index: its list.
        wanted: the recordings by their absolute path.
        sample_rate: a segment of another one has none.

    Raises:
        OSError, AudioError, ValueError, TypeError, KeyError: if it is damaged.
    """
    tree = json.loads(index.read_bytes())
    if (tree["format"], tree["sample_rate"]) != (FORMAT, sample_rate):
        return {}
    file, found = SegmentFile(index.with_suffix(".pcm")), {}
    for row in tree["recordings"]:
        path = wanted.get(row["path"])
        if path is None or not _is_same(path, row):
            continue
        kept = Kept(file, row["at"], row["samples"], row["runs"])
        if kept.crc32() != row["crc32"]:
            raise ValueError(f"the samples of {path} are not those that were written")
        found[path] = kept
    return found


def write_segment(folder: Path, sounds: Iterator[tuple[Path, Decoded]], sample_rate: int) -> bool:
    """Write a segment of the next recordings; return False if there are no more.

    Those that have changed since they were decoded are not kept.

    Raises:
        OSError: if it cannot be written; then there is none.
    """
    index, rows = folder / f"{uuid4().hex}.json", list[dict[str, Any]]()
    samples = index.with_suffix(".pcm")
    with atomic_file(samples) as partial, partial.open("wb") as file:
        while file.tell() <= SEGMENT_BYTES and (one := next(sounds, None)):
            path, sound = one
            if row := _row(path, sound):
                data = sound.samples.tobytes() + sound.runs.tobytes()
                rows.append(row | {"at": file.tell(), "crc32": zlib.crc32(data)})
                file.write(data)
    if not rows:
        samples.unlink()
        return False
    tree = {"format": FORMAT, "sample_rate": sample_rate, "recordings": rows}
    with atomic_file(index) as partial:
        partial.write_text(json.dumps(tree), encoding="utf-8")
    return True


def is_mostly_gone(index: Path) -> bool:
    """Tell whether half of what a segment was made of is gone or has another size."""
    try:
        tree = json.loads(index.read_bytes())
        rows = tree["recordings"] if tree["format"] == FORMAT else []
        gone = sum(_identity(Path(row["path"]))[:1] != row["identity"][:1] for row in rows)
    except (OSError, ValueError, TypeError, KeyError):
        return True
    return bool(2 * gone >= len(rows))


def _row(path: Path, sound: Decoded) -> dict[str, Any] | None:
    """Say what a decoded recording is of; None if its file has changed meanwhile."""
    try:
        digest = AudioBytes(path).sha256()
    except AudioError:
        return None
    if not sound.identity or _identity(path) != sound.identity:
        return None
    return {
        "path": str(path.absolute()),
        "identity": sound.identity,
        "sha256": digest,
        "samples": len(sound.samples),
        "runs": len(sound.runs),
    }


def _is_same(path: Path, row: Mapping[str, Any]) -> bool:
    """Tell whether a file is the one that was decoded: untouched since, or else byte by byte.

    The time of its content alone tells nothing: a copy may keep that of another recording.
    """
    found, known = _identity(path), row["identity"]
    if found == known:
        return True
    try:
        return bool(found[:1] == known[:1] and AudioBytes(path).sha256() == row["sha256"])
    except AudioError:
        return False  # why will be said when it is decoded


def _identity(path: Path) -> Identity:
    """Look at a file; what cannot be looked at is like no other."""
    try:
        stat = path.stat()
    except OSError:
        return []
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
