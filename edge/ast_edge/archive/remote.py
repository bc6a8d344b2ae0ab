"""Recordings that are kept elsewhere: in buckets of S3, of what speaks as S3 does, of Google Cloud.

By pyarrow, which the tables need anyway. A recording is copied here whole before it is heard, into
a file without a name, so that nothing is left of it whatever ends the process.
"""

import glob
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import lru_cache
from pathlib import PurePosixPath
from typing import IO, Any
from urllib.parse import urlsplit

from ast_edge.archive.errors import ArchiveError
from ast_edge.archive.fingerprint import Fingerprint
from ast_edge.audio.sound_file import AUDIO_SUFFIXES
from ast_edge.base.errors import AstError, AudioError

_SCHEMES = ("s3", "gs")
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
"""Variables that say where S3 is, if not at Amazon; the first that is set counts."""
_CONNECT_SECONDS = 10
_RETRY_SECONDS = 60
_BLOCK = 8 << 20
"""Bytes that are asked for at once."""
_FOLDERS = 16
"""Whose listings are kept while what was heard is compared with what is there."""


def is_remote(name: str) -> bool:
    """Tell whether a name is an address of a recording or a folder elsewhere."""
    return name.startswith(tuple(f"{scheme}://" for scheme in _SCHEMES))


def find_remote(address: str) -> Iterator[bytes]:
    """Yield the address of every recording in a folder and below, or the one that is named.

    Whether one that is named is there is told when it is read.

    Raises:
        ArchiveError: there is no such folder or bucket, or it cannot be listed.
    """
    files, path = _opened(address, ArchiveError)
    scheme = urlsplit(address).scheme
    from pyarrow.fs import FileType

    is_folder = address.endswith("/") or "/" not in path
    if not is_folder:
        with _faults(address, "cannot be looked up", ArchiveError):
            kind = files.get_file_info(path).type
        if kind == FileType.NotFound and glob.has_magic(path):
            raise ArchiveError(
                f"{address}: patterns are for files of this machine: name the folder, or names by "
                "--list"
            )
        is_folder = kind == FileType.Directory
    if not is_folder:
        yield os.fsencode(address)
        return
    # All at once: of what Google lists folder by folder, folders are no part.
    for info in _listing(files, path, address, recursive=True):
        inside = PurePosixPath(info.path.removeprefix(path).lstrip("/"))
        is_hidden = any(part.startswith(".") for part in inside.parts)
        if info.is_file and not is_hidden and inside.suffix.lower() in AUDIO_SUFFIXES:
            yield os.fsencode(f"{scheme}://{info.path}")


@contextmanager
def fetched(address: str) -> Iterator[tuple[int, Fingerprint]]:
    """Copy a recording here; yield the open copy and the fingerprint of what it is a copy of.

    Raises:
        AudioError: it is not there, cannot be fetched, or is replaced by another one meanwhile.
    """
    files, path = _opened(address, AudioError)
    with tempfile.TemporaryFile() as copy:
        with _faults(address, "cannot be fetched", AudioError):
            before = _look(files, path)
            _copy(files, path, copy)
            after = _look(files, path)
        if before != after or copy.tell() != after.size:
            raise AudioError(
                f"{address}: was changed while it was fetched (from {before.size} bytes to "
                f"{after.size}); take it up again by --resume when it is complete"
            )
        yield copy.fileno(), before


def read_remote(address: str, most: int) -> bytes | None:
    """Return what a small file holds; None if it is not there, or larger than so many bytes.

    Raises:
        AudioError: that cannot be found out.
    """
    files, path = _opened(address, AudioError)
    with _faults(address, "cannot be fetched", AudioError):
        try:
            with files.open_input_stream(path) as stream:
                content: bytes = stream.read(most + 1)
        except FileNotFoundError:
            return None
        except OSError as exc:
            if "ACCESS_DENIED" in str(exc):  # who may not list is not told what is not there
                return None
            raise
    return content if len(content) <= most else None


class Listings:
    """What is in folders elsewhere; a folder is listed once for all that is asked of it in turn."""

    def __init__(self) -> None:
        """List nothing yet."""
        self._in = lru_cache(_FOLDERS)(_fingerprints)

    def fingerprint(self, address: str) -> Fingerprint | None:
        """Return that of a recording, or nothing where there is none.

        Raises:
            ArchiveError: that cannot be found out.
        """
        return self._in(address.rpartition("/")[0]).get(address)


def _fingerprints(folder: str) -> dict[str, Fingerprint]:
    files, path = _opened(folder, ArchiveError)
    scheme = urlsplit(folder).scheme
    return {
        f"{scheme}://{info.path}": Fingerprint(info.size, info.mtime_ns)
        for info in _listing(files, path, folder, allow_not_found=True)
        if info.is_file
    }


def _listing(files: Any, path: str, address: str, **how: bool) -> list[Any]:  # noqa: ANN401 (of pyarrow)
    from pyarrow.fs import FileSelector

    with _faults(address, "cannot be listed", ArchiveError):
        found: list[Any] = files.get_file_info(FileSelector(path, **how))
    return found


def _look(files: Any, path: str) -> Fingerprint:  # noqa: ANN401 (of pyarrow)
    info = files.get_file_info(path)
    if not info.is_file:
        raise FileNotFoundError("there is no such recording")
    return Fingerprint(info.size, info.mtime_ns)


def _copy(files: Any, path: str, copy: IO[bytes]) -> None:  # noqa: ANN401 (of pyarrow)
    with files.open_input_stream(path) as stream:
        while block := stream.read(_BLOCK):
            copy.write(block)
    copy.flush()


def _opened(address: str, kind: Callable[[str], AstError]) -> tuple[Any, str]:
    """Return the file system of an address, and the path there."""
    parts = urlsplit(address)
    path = address.partition("://")[2].rstrip("/")
    if not parts.netloc:
        raise kind(f"{address}: expected {parts.scheme}://BUCKET/FOLDER")
    endpoint = next(filter(None, map(os.environ.get, _ENDPOINTS)), "")
    with _faults(address, "cannot be reached", kind):
        return _connected(parts.scheme, parts.netloc, endpoint), path


@lru_cache
def _connected(scheme: str, bucket: str, endpoint: str) -> Any:  # noqa: ANN401 (of pyarrow)
    """Return the file system of a bucket; credentials are those that its libraries find."""
    from pyarrow import fs

    if scheme == "gs":
        return fs.GcsFileSystem(retry_time_limit=timedelta(seconds=_RETRY_SECONDS))
    if endpoint:
        place = urlsplit(endpoint)
        return fs.S3FileSystem(
            endpoint_override=place.netloc, scheme=place.scheme, connect_timeout=_CONNECT_SECONDS
        )
    region = os.environ.get("AWS_REGION") or fs.resolve_s3_region(bucket)
    return fs.S3FileSystem(region=region, connect_timeout=_CONNECT_SECONDS)


@contextmanager
def _faults(address: str, what: str, kind: Callable[[str], AstError]) -> Iterator[None]:
    import pyarrow

    try:
        yield
    except (OSError, ValueError, ImportError, pyarrow.ArrowException) as exc:
        raise kind(f"{address}: {what}: {exc}") from exc
