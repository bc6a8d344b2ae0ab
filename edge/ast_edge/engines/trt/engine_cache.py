"""Engines that were built on this device, kept so that the next start takes seconds.

An engine is found by what it was built from, by what and for what. Whatever does not fit is built
again, so that the folder may be emptied at any time.
"""

import fcntl
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ast_edge.base.errors import EngineError
from ast_edge.engines.trt.engine_card import EngineCard, read_engine, write_engine

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EngineKey:
    """What an engine must have been built from, by what and for what to be used."""

    onnx_sha256: str
    library: str
    version: str
    device: str
    """Name of the GPU."""
    precision: str

    @classmethod
    def of(cls, card: EngineCard) -> "EngineKey":
        """Return what a card says."""
        return cls(card.onnx_sha256, card.library, card.version, card.device, card.precision)

    @property
    def stem(self) -> str:
        """Start of the file's name; a dash stands only between the parts."""
        library = plain(f"{self.library}_{self.version}")
        return f"{self.onnx_sha256[:16]}-{library}-{plain(self.device)}-{self.precision}"


def plain(text: str) -> str:
    """Return text as a part of a file's name, without a dash."""
    return re.sub(r"[^a-z0-9.]+", "_", text.lower())


def cache_folder() -> Path:
    """Return the folder for engines: that of the service, or that of the user.

    Raises:
        EngineError: if the user has no home directory.
    """
    if service := os.environ.get("CACHE_DIRECTORY"):  # systemd.exec(5): separated by colons
        return Path(service.split(":")[0])
    user = os.environ.get("XDG_CACHE_HOME", "")
    if Path(user).is_absolute():  # what is not must be ignored, says the standard
        return Path(user) / "ast-edge"
    try:
        return Path.home() / ".cache" / "ast-edge"
    except RuntimeError as exc:
        raise EngineError(f"no folder for engines: {exc}; set XDG_CACHE_HOME") from exc


class EngineCache:
    """A folder of engines; several processes may use it at once."""

    def __init__(self, folder: Path) -> None:
        """Name the folder; it is made when the first engine is stored."""
        self.folder = folder

    def find(self, key: EngineKey) -> tuple[bytes, EngineCard] | None:
        """Return the engine that was stored last; None if there is none that can be used.

        One that is damaged is said in a line of the log, and replaced when the next is stored.
        """
        try:
            with self._lock(os.O_RDONLY, fcntl.LOCK_SH):
                cards = self.folder.glob(f"{key.stem}-*.engine.json")
                for card_path in sorted(cards, key=_age, reverse=True):
                    try:
                        return _read(card_path.with_suffix(""), key)
                    except EngineError as exc:
                        log.warning("%s", exc)
        except OSError as exc:
            log.warning("%s: cannot be read: %s", self.folder, exc.strerror)
        return None

    def store(self, plan: bytes, card: EngineCard) -> Path:
        """Keep an engine, and remove the others of the same graph and device; return its path.

        Raises:
            EngineError: if it cannot be written; what was there stays.
        """
        key = EngineKey.of(card)
        batches = "_".join(str(shape[0]) for shape in _shapes(card))
        path = self.folder / f"{key.stem}-{batches}.engine"
        graph, _, device, _ = key.stem.split("-")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with self._lock(os.O_RDWR | os.O_CREAT, fcntl.LOCK_EX):
                write_engine(path, plan, card)
                for other in self.folder.glob(f"{graph}-*-{device}-*"):
                    if not other.name.startswith(path.name):
                        other.unlink(missing_ok=True)
        except OSError as exc:
            raise EngineError(f"{self.folder}: cannot be written: {exc.strerror}") from exc
        return path

    @contextmanager
    def _lock(self, flags: int, kind: int) -> Iterator[None]:
        """Wait for other processes: an engine and its card change together."""
        try:
            handle = os.open(self.folder / "lock", flags, 0o666)
        except FileNotFoundError:  # nobody has stored anything yet
            yield
            return
        try:
            fcntl.flock(handle, kind)
            yield
        finally:
            os.close(handle)


def _read(path: Path, key: EngineKey) -> tuple[bytes, EngineCard]:
    plan, card = read_engine(path)
    if EngineKey.of(card) != key:
        raise EngineError(f"{path}: is an engine for something else; build it again")
    return plan, card


def _age(path: Path) -> int:
    return path.stat().st_mtime_ns


def _shapes(card: EngineCard) -> tuple[tuple[int, ...], ...]:
    return card.profile.min, card.profile.opt, card.profile.max
