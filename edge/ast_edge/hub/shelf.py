"""Putting bundles where they are found by name: completely or not at all."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ast_edge.base.errors import ConfigError
from ast_edge.base.files import replace_folder
from ast_edge.hub.errors import StorageError
from ast_edge.model.bundle import shipped_bundles
from ast_edge.model.installed import bundle_folders

_NAME = re.compile(r"[\w][\w.-]{0,63}")


def check_name(name: str) -> str:
    """Return the name of a bundle.

    Raises:
        ConfigError: if a folder cannot be called that, or a shipped bundle is.
    """
    if not _NAME.fullmatch(name) or name.endswith(".json"):
        raise ConfigError(
            f"--name: expected up to 64 letters, digits, dots and dashes, got {name!r:.100}"
        )
    if name in shipped_bundles():
        raise ConfigError(f"--name: {name!r} is a bundle that ships with ast-edge; choose another")
    return name


@contextmanager
def new_bundle(name: str) -> Iterator[Path]:
    """Give a new folder to fill, which replaces the installed bundle of that name at the end.

    It is removed if anything goes wrong, and the older bundle stays.

    Raises:
        StorageError: if it cannot be written.
    """
    shelf = bundle_folders()[0]
    try:
        _make(shelf)
        scratch = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=shelf))
    except OSError as exc:
        raise StorageError(f"{shelf}: cannot be written: {exc.strerror}") from exc
    try:
        folder = scratch / name
        try:
            folder.mkdir()
            yield folder
            replace_folder(folder, shelf / name, scratch / "old")
        except OSError as exc:
            raise StorageError(f"{shelf / name}: cannot be written: {exc.strerror}") from exc
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _make(shelf: Path) -> None:
    """Make the folder of bundles; one that root makes is for services, which are other users."""
    missing = [folder for folder in (shelf, *shelf.parents) if not folder.exists()]
    shelf.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        for folder in missing:
            folder.chmod(0o755)


def take_in(folder: Path, files: Mapping[str, Path], *, link: bool) -> None:
    """Put files into a bundle under these names, as copies or where the disk allows as links.

    A file of the cache is never written again, only replaced, so both may be one; a user's may be.

    Raises:
        OSError: if they cannot be written.
    """
    for name, source in files.items():
        try:
            if not link:
                raise OSError
            os.link(source.resolve(), folder / name)
        except OSError:  # another disk, one without links, or somebody else's file
            shutil.copyfile(source, folder / name)
