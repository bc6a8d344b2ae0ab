"""A small file system of its own, which can be full or read-only, also for root."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path


@cache
def available() -> str:
    """Return why none can be mounted here, or nothing."""
    if os.geteuid():
        return "only root may mount a tmpfs"
    with tempfile.TemporaryDirectory() as folder:
        if _mount(folder, "size=64k"):
            return "no tmpfs can be mounted here"
        subprocess.run(["umount", "-l", folder], check=True)
    return ""


@contextmanager
def mounted(folder: Path, size: str) -> Iterator[Path]:
    """Mount a file system of such a size ("64k") at a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    assert _mount(str(folder), f"size={size}") == 0
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Leave no byte free, and return the file that takes them."""
    path = folder / "ballast"
    with path.open("ab", buffering=0) as file:
        for size in (4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    return path


def forbid_writing(folder: Path) -> None:
    """Make it read-only, as after a fault of the disk."""
    _remount(folder, "ro")


def allow_writing(folder: Path) -> None:
    """Undo `forbid_writing`."""
    _remount(folder, "rw")


def _mount(folder: str, options: str) -> int:
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder]
    return subprocess.run(command, capture_output=True).returncode


def _remount(folder: Path, mode: str) -> None:
    # A descriptor open for writing forbids it, as it would with a disk: then by force, for all
    # descriptors to come.
    subprocess.run(["mount", "-o", f"remount,{mode}", str(folder)], check=True, capture_output=True)
