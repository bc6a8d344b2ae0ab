"""From a pointer to a bundle on this machine's disk."""

import json
import logging
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ast_edge.base.errors import BundleError
from ast_edge.base.files import file_sha256, replace_folder
from ast_edge.fleet.places import Places
from ast_edge.fleet.pointer import Pointer
from ast_edge.fleet.record import Shelf
from ast_edge.hub.errors import StorageError
from ast_edge.hub.files import ModelFiles, RemoteFiles
from ast_edge.hub.origin import HUB, Origin
from ast_edge.hub.published import DESCRIPTION, fetch_description, fetch_parts
from ast_edge.hub.shelf import take_in
from ast_edge.hub.web import Web
from ast_edge.model.bundle import load_bundle

log = logging.getLogger(__name__)

SPARE_BYTES = 32 << 20
"""That must stay free on the disk."""


def fetch(
    pointer: Pointer,
    places: Places,
    shelf: Shelf,
    progress: Callable[[int], None],
    pause: Callable[[float], None] = time.sleep,
) -> Path:
    """Bring a bundle here, whole or not at all; what was there of it is gone on with.

    Args:
        pointer: where it is.
        places: where it and all redirects may lead.
        shelf: where it is put.
        progress: told the bytes that are here; may raise, to give up.
        pause: waits so many seconds between two attempts.

    Raises:
        HubError: the server cannot be reached or refuses.
        BundleError: it is not what was promised, or does not end.
        StorageError: it cannot be written.
    """
    folder = shelf.bundle(pointer)
    if _is_whole(folder):
        return folder
    _check_room(pointer, shelf)
    counter = _Counter(progress)
    files = RemoteFiles(
        Origin("url", pointer.url.rstrip("/")),
        Web(HUB, may_visit=places.allow),
        HUB,
        shelf.downloads(pointer),
        counter,
        pause=pause,
    )
    description = fetch_description(files, pointer.sha256, pointer.size)
    parts = fetch_parts(files, description, pointer.size - description.size)
    paths = {name: part.path for name, part in parts.items()}
    paths[DESCRIPTION] = files.fetch(DESCRIPTION, pointer.size, pointer.sha256).path
    _put(folder, paths)
    shutil.rmtree(shelf.downloads(pointer), ignore_errors=True)
    return folder


def published_size(folder: Path) -> tuple[str, int]:
    """Return the sum of a bundle's bundle.json, and the bytes of all that is to be published.

    Raises:
        BundleError: it is none, or damaged.
    """
    load_bundle(folder)
    try:
        tree = json.loads((folder / DESCRIPTION).read_bytes())
        names = [DESCRIPTION, *tree["files"]]
        size = sum((folder / name).stat().st_size for name in names)
    except OSError as exc:
        raise BundleError(f"{folder}: cannot be read: {exc.strerror}") from exc
    return file_sha256(folder / DESCRIPTION), size


def measure_published(files: ModelFiles, scratch: Path) -> tuple[str, int]:
    """Return the same of a bundle where it is published, of which all is fetched and looked at.

    Raises:
        HubError, BundleError, StorageError: it cannot be fetched, or is damaged.
    """
    description = fetch_description(files)
    paths = {name: part.path for name, part in fetch_parts(files, description).items()}
    paths[DESCRIPTION] = files.fetch(DESCRIPTION, description.size, description.sha256).path
    _put(scratch / "bundle", paths)
    return published_size(scratch / "bundle")


class _Counter:
    """Adds up the bytes of several files."""

    def __init__(self, progress: Callable[[int], None]) -> None:
        self._progress = progress
        self._done: dict[str, int] = {}

    def __call__(self, file: str, done: int, total: int | None) -> None:
        self._done[file] = done
        self._progress(sum(self._done.values()))


def _is_whole(folder: Path) -> bool:
    """Tell whether a bundle is here; one that is damaged is removed."""
    if not folder.is_dir():
        return False
    try:
        load_bundle(folder)
    except BundleError as exc:
        log.warning("%s; it is fetched again", exc)
        shutil.rmtree(folder, ignore_errors=True)
        return False
    return True


def _check_room(pointer: Pointer, shelf: Shelf) -> None:
    downloads = shelf.downloads(pointer)
    try:
        downloads.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(shelf.folder).free
        here = sum(path.stat().st_size for path in downloads.rglob("*") if path.is_file())
    except OSError as exc:
        raise StorageError(f"{shelf.folder}: cannot be written: {exc.strerror}") from exc
    needed = pointer.size - here + SPARE_BYTES
    if needed > free:
        raise StorageError(
            f"{shelf.folder}: {needed / 1e6:.0f} MB are needed and {free / 1e6:.0f} MB are free"
        )


def _put(folder: Path, paths: dict[str, Path]) -> None:
    """Put files where a bundle is, all at once."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".new-", dir=folder.parent) as scratch:
            new = Path(scratch) / "bundle"
            new.mkdir()
            take_in(new, paths, link=True)
            load_bundle(new)
            replace_folder(new, folder, Path(scratch) / "old")
    except OSError as exc:
        raise StorageError(f"{folder}: cannot be written: {exc.strerror}") from exc
