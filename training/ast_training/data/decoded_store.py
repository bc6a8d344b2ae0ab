"""Recordings decoded once for all processes and trainings: a folder of segments."""

import contextlib
import errno
import fcntl
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from ast_edge.base.errors import AudioError
from ast_training.data.segment import Decoded, Kept, is_mostly_gone, read_segment, write_segment

log = logging.getLogger(__name__)

SPARE_SHARE, SPARE_BYTES = 0.05, 4 << 30
"""Of the disk, whichever is less, is left free."""
UNUSED_SECONDS = 90 * 86400.0
"""After which a segment is deleted."""
GONE_SECONDS = 86400.0
"""The same, of one whose recordings are mostly gone: a training that goes on may still need it."""
ABOUT = """\
Recordings that ast-train has decoded, so that the next training need not: 16-bit samples of one
channel at the model's rate. What nobody has used for 90 days goes by itself, and so does what is of
recordings that are gone. All of it may be deleted at any time; it is made again.
Where it lies, or that it is not to be written, says loop.decoded in a recipe.
"""

Decode = Callable[[Iterable[Path]], Iterator[tuple[Path, Decoded]]]
"""Decodes recordings one after another, without those that cannot be used."""


class DecodedStore:
    """The decoded recordings of a folder at one sample rate; processes may share it."""

    def __init__(self, folder: Path, sample_rate: int) -> None:
        """Name the folder; it is made when the first recording is kept."""
        self.folder, self.sample_rate = folder, sample_rate
        self._damaged: set[Path] = set()

    def find(self, paths: Iterable[Path]) -> dict[Path, Kept]:
        """Find recordings that are kept, are intact, and are still those that were decoded."""
        wanted = {str(path.absolute()): path for path in paths}
        found: dict[Path, Kept] = {}
        for index in sorted(self.folder.glob("*.json")) if wanted else []:
            if index in self._damaged:
                continue
            try:
                here = read_segment(index, wanted, self.sample_rate)
            except (OSError, AudioError, ValueError, TypeError, KeyError) as exc:
                self._damaged.add(index)
                log.warning("%s: damaged, its recordings are decoded anew: %s", index, exc)
                continue
            found |= here
            for path in here:
                del wanted[str(path.absolute())]
            if here:
                with contextlib.suppress(OSError):  # a read-only disk
                    os.utime(index)
        return found

    def find_or_add(
        self, paths: Sequence[Path], decode: Decode, *, otherwise: str
    ) -> dict[Path, Kept]:
        """Find recordings, and decode and keep what is missing as far as that can be done.

        Args:
            paths: the recordings.
            decode: see `Decode`.
            otherwise: what happens to those that cannot be kept, for the log.
        """
        found = self.find(paths)
        try:
            if missing := [path for path in paths if path not in found]:
                found |= self.add(missing, decode)
        except OSError as exc:
            log.warning(
                "%s: cannot keep decoded recordings, %s: %s; see loop.decoded",
                self.folder,
                otherwise,
                exc.strerror or exc,
            )
            found |= self.find(path for path in paths if path not in found)
        return found

    def add(self, paths: Iterable[Path], decode: Decode) -> dict[Path, Kept]:
        """Decode recordings and keep them, but those that another process has kept meanwhile.

        Raises:
            OSError: if they cannot be kept (a full or read-only disk); what was written is whole.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(self.folder):
            (self.folder / "README.txt").write_text(ABOUT, encoding="utf-8")
            self._clear()
            found = self.find(paths)
            sounds = self._leaving_room(decode(path for path in paths if path not in found))
            while write_segment(self.folder, sounds, self.sample_rate):
                pass
        more = self.find(path for path in paths if path not in found)
        if more:
            size = sum(file.stat().st_size for file in self.folder.glob("*.pcm"))
            log.info("%s: %d decoded recordings more, %.3f GB", self.folder, len(more), size / 1e9)
        return found | more

    def _leaving_room(
        self, sounds: Iterator[tuple[Path, Decoded]]
    ) -> Iterator[tuple[Path, Decoded]]:
        for sound in sounds:
            disk = shutil.disk_usage(self.folder)
            if disk.free < min(SPARE_SHARE * disk.total, SPARE_BYTES):
                raise OSError(errno.ENOSPC, f"only {disk.free / 1e9:.1f} GB of the disk are free")
            yield sound

    def _clear(self) -> None:
        """Delete what is of no use; under the lock what is half written is a dead writer's."""
        for index in self.folder.glob("*.json"):
            unused = time.time() - index.stat().st_mtime
            gone = unused > GONE_SECONDS and is_mostly_gone(index)
            if index in self._damaged or unused > UNUSED_SECONDS or gone:
                index.unlink(missing_ok=True)
        for file in (*self.folder.glob("*.pcm"), *self.folder.glob("*.partial")):
            if file.suffix == ".partial" or not file.with_suffix(".json").exists():
                file.unlink(missing_ok=True)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one process decode at a time: the others find what it has kept."""
    with (folder / "lock").open("a") as file:
        with contextlib.suppress(OSError):  # a network's disk may have no locks: work is done twice
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
