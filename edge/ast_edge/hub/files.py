"""The files of a model, wherever it comes from, as files of this machine."""

import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from ast_edge.base.errors import BundleError
from ast_edge.base.files import file_sha256
from ast_edge.hub.download import Download, Fetched, Progress, read_note, write_note
from ast_edge.hub.errors import HubError, MissingError, StorageError
from ast_edge.hub.origin import Origin
from ast_edge.hub.web import Web

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LocalFile:
    """A file that is here."""

    path: Path
    sha256: str
    checked: str
    """By whose word it is whole: "pinned", "hub", "cache" (once by one of these) or "nobody"."""


class ModelFiles(Protocol):
    """Gives the files of a model by their paths."""

    origin: Origin
    """As exactly as it is known by now."""

    def fetch(self, path: str, largest: int, sha256: str = "") -> LocalFile:
        """Return a file.

        Raises:
            MissingError: if there is none.
            HubError: if it cannot be fetched.
            BundleError: if it is damaged, or larger than `largest` bytes.
            StorageError: if it cannot be written.
        """
        ...


class FolderFiles:
    """The files of a folder of this machine; they stay where they are."""

    def __init__(self, origin: Origin) -> None:
        """Take the folder."""
        self.origin = origin
        self._folder = Path(origin.place)

    def fetch(self, path: str, largest: int, sha256: str = "") -> LocalFile:
        """Return a file of the folder, where a link leads too."""
        found = self._folder / path
        try:
            if not found.is_file():
                raise MissingError(f"{found}: no such file")
            if found.stat().st_size > largest:
                raise BundleError(f"{found}: is larger than the {largest} bytes that it may have")
            computed = file_sha256(found)
        except OSError as exc:
            raise BundleError(f"{found}: cannot be read: {exc.strerror}") from exc
        if sha256 and computed != sha256:
            raise BundleError(
                f"{found}: expected the sum {sha256[:16]}…, got {computed[:16]}…: it is another "
                "file, or damaged"
            )
        return LocalFile(found, computed, "pinned" if sha256 else "nobody")


class RemoteFiles:
    """The files of a repository or a web folder, by way of a cache.

    What is pinned to a commit never changes, and is asked for once. Of all else the server is asked
    whether it is still the same, and the cache is used where it cannot be reached.
    """

    def __init__(
        self,
        origin: Origin,
        web: Web,
        endpoint: str,
        cache: Path,
        progress: Progress,
        *,
        offline: bool = False,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """Take where the files are, and the folder to keep them in."""
        self.origin = origin
        self._web, self._endpoint, self._cache = web, endpoint, cache
        self._progress, self._offline, self._pause = progress, offline, pause

    def fetch(self, path: str, largest: int, sha256: str = "") -> LocalFile:
        """Return a file from the cache, or download it."""
        if self._offline:
            self._resolve()
        target = self._folder(self.origin) / path
        kept = self._kept(target, sha256)
        if kept and (self.origin.is_pinned or self._offline):
            return LocalFile(target, kept.sha256, "pinned" if sha256 else _once(kept))
        if self._offline:
            if _missing(target).exists():
                raise MissingError(f"{self.origin.title}: has no {path}")
            raise HubError(
                f"{self.origin.title}: {path} is not in the cache ({self._cache}), and nothing is "
                "downloaded: run it once with a network"
            )
        url = self.origin.url_of(path, self._endpoint)
        known = kept.etag if kept else ""
        download = Download(self._web, url, target, largest, self._progress, self._pause)
        try:
            fetched = download.run(sha256, known)
        except MissingError:
            self._write(_missing(target), lambda note: note.touch())
            raise
        except HubError as exc:
            if kept is None and not self._resolve():
                raise
            log.warning("%s; what is in the cache is used", exc)
            if kept is None:
                return self.fetch(path, largest, sha256)
            return LocalFile(target, kept.sha256, _once(kept))
        if fetched is None:
            assert kept is not None  # or there was no etag to compare with
            return LocalFile(target, kept.sha256, _once(kept))
        self._write(_note_of(target), lambda note: write_note(note, fetched))
        if fetched.commit and self.origin.kind == "hub":
            self._pin(fetched.commit, target)
        return LocalFile(self._folder(self.origin) / path, fetched.sha256, fetched.checked)

    def _folder(self, origin: Origin) -> Path:
        if origin.kind == "hub":
            place = origin.place.replace("/", "--")
            return self._cache / place / origin.revision.replace("/", "--")
        return self._cache / f"url-{hashlib.sha256(origin.place.encode()).hexdigest()[:32]}"

    def _kept(self, target: Path, sha256: str) -> Fetched | None:
        """Return what is known of a file in the cache, if it is still that."""
        note = read_note(_note_of(target))
        try:
            if note is None or file_sha256(target) != note.sha256:
                return None
        except OSError:
            return None
        return None if sha256 and sha256 != note.sha256 else note

    def _resolve(self) -> bool:
        """Go by the commit that a branch was at the last time; return whether that is known."""
        if self.origin.is_pinned or self.origin.kind != "hub":
            return False
        try:
            commit = self._reference().read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return False
        pinned = replace(self.origin, revision=commit)
        if pinned.is_pinned:
            self.origin = pinned
        return pinned.is_pinned

    def _reference(self) -> Path:
        folder = self._folder(self.origin)
        return folder.with_name(folder.name + ".commit")

    def _pin(self, commit: str, target: Path) -> None:
        """Stay with the commit that the hub has named for a branch."""
        pinned = replace(self.origin, revision=commit)
        if self.origin.is_pinned or not pinned.is_pinned:
            return
        moved = self._folder(pinned) / target.relative_to(self._folder(self.origin))
        self._write(self._reference(), lambda note: note.write_text(commit, encoding="utf-8"))

        def move(place: Path) -> None:
            place.parent.mkdir(parents=True, exist_ok=True)
            target.replace(place)
            _note_of(target).replace(_note_of(place))

        self._write(moved, move)
        self.origin = pinned

    def _write(self, path: Path, write: Callable[[Path], object]) -> None:
        try:
            write(path)
        except OSError as exc:
            raise StorageError(f"{path}: cannot be written: {exc.strerror}") from exc


def _note_of(target: Path) -> Path:
    return target.with_name(target.name + ".note")


def _missing(target: Path) -> Path:
    """Return what stands in the cache for a file that the server does not have."""
    return target.with_name(target.name + ".missing")


def _once(kept: Fetched) -> str:
    return "nobody" if kept.checked == "nobody" else "cache"
