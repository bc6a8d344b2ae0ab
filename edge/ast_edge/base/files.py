"""Files that are there whole or not at all, alone or together, and their sums."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_file(path: Path, *, durable: bool = False) -> Iterator[Path]:
    """Give a path beside `path` to write to; what is written there takes its place at the end.

    Its folder must be there. With `durable` it is on the disk by then, which a power cut would
    ask for.

    Raises:
        OSError: if it cannot be written (a full disk); what was at `path` stays.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        yield partial
        if durable:
            with partial.open("rb") as file:
                os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_files(contents: Mapping[Path, bytes]) -> None:
    """Write files beside their places, then put them there, the last one last; folders are made.

    Raises:
        OSError: if they cannot be written; what was there stays.
    """
    partials = {path: path.with_name(path.name + ".partial") for path in contents}
    try:
        for path, content in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            partials[path].write_bytes(content)
        for path, partial in partials.items():
            partial.replace(path)
    finally:
        for partial in partials.values():
            partial.unlink(missing_ok=True)


def replace_folder(folder: Path, place: Path, old: Path) -> None:
    """Put a folder of files where another may be, readable by all users whatever the umask.

    The other one goes to `old`, on the same disk.

    Raises:
        OSError: if it cannot be put there; what was there is there again.
    """
    for path in folder.iterdir():
        path.chmod(0o644)
    folder.chmod(0o755)
    if not place.exists():
        folder.rename(place)
        return
    place.rename(old)
    try:
        folder.rename(place)
    except OSError:
        old.rename(place)
        raise


def file_sha256(path: Path) -> str:
    """Compute the sum of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
