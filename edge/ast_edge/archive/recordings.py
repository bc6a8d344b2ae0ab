"""The recordings of an archive: in folders, by patterns and in lists, and which shard has which."""

import glob
import logging
import os
import sys
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ast_edge.archive.errors import ArchiveError
from ast_edge.archive.remote import find_remote, is_remote
from ast_edge.audio.sound_file import AUDIO_SUFFIXES
from ast_edge.base.printable import printable

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Shard:
    """One of so many parts of an archive, each for a run of its own."""

    number: int = 1
    """From 1."""
    count: int = 1

    def __contains__(self, path: bytes) -> bool:
        """Tell whether a recording is in it; that depends on its name alone."""
        return zlib.crc32(path) % self.count == self.number - 1

    @property
    def suffix(self) -> str:
        """What the names of its files end in."""
        return "" if self.count == 1 else f"-{self.number}-of-{self.count}"


def parse_shard(text: str) -> Shard:
    """Read "2/8".

    Raises:
        ValueError: it is something else, or there is no such shard.
    """
    number, slash, count = text.partition("/")
    if not (slash and number.isdecimal() and count.isdecimal()):
        raise ValueError(f"expected a shard such as 2/8, the second of eight, got {text!r}")
    if not 1 <= int(number) <= int(count) <= 100_000:
        raise ValueError(f"expected a shard from 1/{count} to {count}/{count}, got {text!r}")
    return Shard(int(number), int(count))


def find_recordings(names: Iterable[str]) -> Iterator[bytes]:
    """Yield the path of every recording that is named, in a folder or by a pattern.

    Folders are searched for names that end like a recording's, through links as well, each once;
    what begins with a dot is left out. A file that is named by itself is taken whatever its name,
    and also if there is none, which is told when it is read. So are those in buckets.

    Raises:
        ArchiveError: there is nothing that fits a pattern, or a bucket cannot be searched.
    """
    visited: set[tuple[int, int]] = set()
    for name in names:
        if is_remote(name):
            yield from find_remote(name)
            continue
        for path in _expanded(name):
            yield from _in_folder(path, visited) if Path(path).is_dir() else [_plain(path)]


def read_list(path: str, *, null: bool) -> Iterator[bytes]:
    """Yield the names in a list, one a line or each ended by NUL; "-" is standard input.

    Whether they are there is told when they are read: a list is long, and may be old.

    Raises:
        ArchiveError: the list cannot be read.
    """
    try:
        with sys.stdin.buffer if path == "-" else Path(path).open("rb") as file:
            content = file.read()
    except OSError as exc:
        raise ArchiveError(f"--list {_shown(path)}: cannot be read: {exc.strerror}") from exc
    if null:
        lines = content.split(b"\0")
    else:
        lines = [line.removesuffix(b"\r") for line in content.split(b"\n")]
        lines[0] = lines[0].removeprefix(b"\xef\xbb\xbf")
    for line in lines:
        if b"\0" in line:
            raise ArchiveError(f"--list {_shown(path)}: its names end with NUL; add --null")
        if line:
            yield _plain(os.fsdecode(line))


def shown_path(path: bytes) -> str:
    r"""Return a path as text; bytes that are no UTF-8 are written out: "caf\xe9.wav"."""
    return path.decode(errors="backslashreplace")


def _expanded(name: str) -> Sequence[str]:
    """Return what a pattern stands for; a name that is there is none, whatever is in it."""
    if os.path.lexists(name) or not glob.has_magic(name):
        return [name]
    found = sorted(glob.glob(name, recursive=True))  # noqa: PTH207 (of any name)
    if not found:
        raise ArchiveError(f"{_shown(name)}: nothing has such a name")
    return found


def _in_folder(folder: str, visited: set[tuple[int, int]]) -> Iterator[bytes]:
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        try:
            found = Path(here).stat()
            if (found.st_dev, found.st_ino) in visited:
                log.warning("%s: leads to a folder that was searched before", _shown(here))
                continue
            visited.add((found.st_dev, found.st_ino))
            with os.scandir(here) as entries:
                inside = sorted(entries, key=lambda entry: entry.name)
        except OSError as exc:
            log.warning("%s: cannot be searched: %s", _shown(here), exc.strerror)
            continue
        folders = []
        for entry in inside:
            if entry.name.startswith("."):
                continue
            if _is_folder(entry):
                folders.append(entry.path)
            elif os.path.splitext(entry.name)[1].lower() in AUDIO_SUFFIXES:  # noqa: PTH122
                yield _plain(entry.path)
        waiting += reversed(folders)


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # of links that lead in a circle
        return False


def _plain(path: str) -> bytes:
    """Return one spelling of a path: "./a//b.wav" is "a/b.wav"; an address stays as it is."""
    return os.fsencode(path if is_remote(path) else Path(path))


def _shown(path: str) -> str:
    return printable(shown_path(os.fsencode(path)))
