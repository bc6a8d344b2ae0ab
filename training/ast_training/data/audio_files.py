"""Audio files below a folder."""

import os
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from ast_edge.audio.sound_file import AUDIO_SUFFIXES
from ast_edge.base.errors import ConfigError


@dataclass(frozen=True)
class FoundFiles:
    """What lies below a folder."""

    audio: list[Path] = field(default_factory=list)
    """By their names, in order."""
    others: list[str] = field(default_factory=list)
    """What was left out and why, a line each."""


def find_audio(root: Path) -> FoundFiles:
    """Find all audio files below a folder, hidden ones left out.

    Links to folders are followed, each folder is searched once, and none that holds `root`.

    Raises:
        ConfigError: if it is no folder.
    """
    if not root.is_dir():
        raise ConfigError(f"{root}: no such folder")
    found = FoundFiles()
    searched = {identity(folder) for folder in root.resolve().parents}
    # A folder is found by its own name first: links wait until all that is no link was searched.
    waiting = deque([str(root)])
    while waiting:
        top = waiting.popleft()
        if identity(top) in searched:
            found.others.append(f"{top}: is not followed: it leads to what is searched anyway")
            continue
        for folder, folders, files in os.walk(
            top, onerror=lambda exc: found.others.append(_unreadable(exc))
        ):
            searched.add(identity(folder))
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            paths = [os.path.join(folder, name) for name in folders]  # noqa: PTH118 (see below)
            waiting += [path for path in paths if os.path.islink(path)]  # noqa: PTH114
            for name in files:
                if not name.startswith("."):
                    _add(found, os.path.join(folder, name))  # noqa: PTH118 (a Path is slow)
    found.audio.sort()
    found.others.sort()
    return found


def identity(path: Path | str) -> object:
    """Return what is the same for two names of one file; links and hard links are followed."""
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError:
        return str(path)  # reading it will say why
    return (status.st_dev, status.st_ino) if status.st_ino else str(path)


def _add(found: FoundFiles, path: str) -> None:
    try:
        path.encode()
    except UnicodeEncodeError:
        shown = path.encode(errors="backslashreplace").decode()
        found.others.append(f"{shown}: its name is not UTF-8; rename it")
        return
    if os.path.splitext(path)[1].lower() in AUDIO_SUFFIXES:  # noqa: PTH122
        found.audio.append(Path(path))
    else:
        found.others.append(f"{path}: no recording, by its name")


def _unreadable(exc: OSError) -> str:
    return f"{exc.filename}: cannot be read: {exc.strerror}"
