"""What a node remembers of updates: which bundle stands in for its own, and what it was told."""

import contextlib
import json
import logging
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from ast_edge.base.files import atomic_file
from ast_edge.base.state_folder import state_folder
from ast_edge.fleet.pointer import Pointer, Scope

log = logging.getLogger(__name__)

FORMAT = 1
MOST_DEATHS = 2
"""Of the process while a bundle is new: one may be a power cut."""


@dataclass(frozen=True)
class Seen:
    """The newest pointer that was told on a topic."""

    serial: int
    digest: str
    """Of all that it said."""


@dataclass(frozen=True)
class Settled:
    """What became of a pointer."""

    state: Literal["failed", "refused", "rolled_back"]
    why: str


@dataclass(frozen=True)
class Record:
    """What outlives the process."""

    base: str = ""
    """The `bundle` of the configuration that `current` stands in for."""
    current: Pointer | None = None
    """That of the bundle in use; None if it is the configuration's own."""
    previous: Pointer | None = None
    """What a rollback returns to; None is the configuration's own."""
    probation: Literal["", "running", "paused"] = ""
    """Whether `current` has to prove itself yet; if the process ends while it does, it goes."""
    deaths: Mapping[str, int] = field(default_factory=dict)
    """How often the process has ended while a bundle was new, by digest of its pointer."""
    seen: Mapping[Scope, Seen] = field(default_factory=dict)
    settled: Mapping[str, Settled] = field(default_factory=dict)
    """What became of the newest pointers that are not followed (again), by digest."""

    @property
    def keeps(self) -> set[str]:
        """The sums of the bundles that must stay on the disk."""
        return {pointer.sha256 for pointer in (self.current, self.previous) if pointer}

    def settle(self, pointer: Pointer, what: Settled) -> "Record":
        """Return it with a pointer that is not followed any more; the oldest are forgotten."""
        settled = {**self.settled, pointer.digest: what}
        newest = list(settled.items())[-_REMEMBERED:]
        return replace(self, settled=dict(newest))

    def back(self) -> "Record":
        """Return it as it is after a rollback."""
        return replace(self, current=self.previous, previous=None, probation="")

    def after_death(self) -> "Record":
        """Return it as it is when the process has ended while the bundle was new."""
        if self.current is None:
            return self.back()
        digest = self.current.digest
        deaths = {**self.deaths, digest: self.deaths.get(digest, 0) + 1}
        record = replace(self, deaths=dict(list(deaths.items())[-_REMEMBERED:])).back()
        if deaths[digest] < MOST_DEATHS:
            return record
        why = f"ast-edge has ended {MOST_DEATHS} times while it was new"
        return record.settle(self.current, Settled("failed", why))

    def without_update(self) -> "Record":
        """Return it for a configuration that names another bundle by now."""
        if self.current is None:
            return self
        why = "the configuration names another bundle since then"
        record = self.settle(self.current, Settled("rolled_back", why))
        return replace(record, current=None, previous=None, probation="")


_REMEMBERED = 20
_RECORD = TypeAdapter(Record)


class Shelf:
    """The folder of a node's updates: its record, downloads on their way, and bundles."""

    def __init__(self, node: str) -> None:
        """Take the node's name; nothing is made yet."""
        self.folder = state_folder() / f"updates-{node}"

    def downloads(self, pointer: Pointer) -> Path:
        """Return where the files of a bundle are while they come."""
        return self.folder / "downloads" / pointer.sha256

    def bundle(self, pointer: Pointer) -> Path:
        """Return the folder that a bundle has when it has come."""
        return self.folder / "bundles" / pointer.sha256

    def read(self) -> Record:
        """Return the record; an empty one if there is none or it cannot be understood."""
        path = self.folder / "record.json"
        try:
            tree = json.loads(path.read_bytes())
            if tree.pop("format") != FORMAT:
                raise ValueError("it is of another version of ast-edge")
            return _RECORD.validate_python(tree)
        except FileNotFoundError:
            return Record()
        except (OSError, ValueError, KeyError, TypeError, ValidationError, RecursionError) as exc:
            reason = "is damaged" if isinstance(exc, ValidationError) else exc
            log.warning(
                "%s: cannot be used (%s): the bundle of the configuration is", *(path, reason)
            )
            return Record()

    def write(self, record: Record) -> None:
        """Keep a record, on the disk by the time this returns.

        Raises:
            OSError: it cannot be written; the one before stays.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        tree = {"format": FORMAT, **_RECORD.dump_python(record)}
        with atomic_file(self.folder / "record.json", durable=True) as path:
            path.write_text(json.dumps(tree), encoding="utf-8")

    def forget(self) -> None:
        """Remove the record, where it can be written no more: a full disk still lets that happen.

        Raises:
            OSError: it cannot be removed.
        """
        (self.folder / "record.json").unlink(missing_ok=True)

    def tidy(self, keeps: Collection[str]) -> None:
        """Remove all bundles but those of these sums, and what has come of others."""
        for place in ("bundles", "downloads"):
            with contextlib.suppress(FileNotFoundError):
                for folder in (self.folder / place).iterdir():
                    if folder.name not in keeps:
                        shutil.rmtree(folder, ignore_errors=True)
