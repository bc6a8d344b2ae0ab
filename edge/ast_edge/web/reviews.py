"""What people say of events: a line of JSON each, that `ast_edge.outputs.reviews` reads."""

import json
import logging
import os
import threading
import time
import unicodedata
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from ast_edge.base.errors import AstError
from ast_edge.base.state_folder import state_folder
from ast_edge.base.times import iso8601
from ast_edge.outputs.reviews import SCHEMA, VERDICTS, newest_lines

log = logging.getLogger(__name__)

MOST_BYTES = 50_000_000
"""Of a file; more than a hundred thousand reviews."""
MOST = 500
"""Reviews at once."""
LONGEST_LABEL = 80
"""Characters."""
_KEPT = (
    *("id", "node", "source", "label", "slug", "mid", "onset", "offset", "duration", "peak"),
    *("bundle", "clip"),
)

Json = dict[str, Any]


class ReviewError(AstError):
    """A review cannot be taken; the message says why, for the one who gave it."""


class Reviews:
    """A file that only grows; the newest line about an event holds."""

    def __init__(self, path: Path, wall: Callable[[], float] = time.time) -> None:
        """Take the file; it need not exist."""
        self._path, self._wall = path, wall
        self._lock = threading.Lock()

    def add(
        self, events: Sequence[Json], verdict: str, label: str | None, names: Collection[str]
    ) -> None:
        """Append a review of each event; `label` is what it was, with "other".

        It may be any name; one of `names` but for its case is that one.

        Raises:
            ReviewError: it cannot be taken, or not be written.
        """
        named = check_review(verdict, label, names)
        lines = [self._line(event, verdict, named) for event in events]
        with self._lock:
            try:
                self._append("".join(lines).encode())
            except OSError as exc:
                log.error("%s: cannot be written: %s; no review is kept", self._path, exc.strerror)
                raise ReviewError(f"reviews cannot be written: {exc.strerror}") from exc

    def verdicts(self) -> dict[str, Json]:
        """Return the newest review of each event that has one, by the event's id."""
        try:
            return newest_lines(self._path)
        except OSError as exc:
            log.error("%s: cannot be read: %s", self._path, exc.strerror)
            return {}

    def _line(self, event: Json, verdict: str, label: str | None) -> str:
        said = {"schema": SCHEMA, "time": iso8601(self._wall()), "verdict": verdict, "true": label}
        about = {key: event.get(key) for key in _KEPT}
        return json.dumps(said | about, ensure_ascii=False) + "\n"

    def _append(self, lines: bytes) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        with os.fdopen(os.open(self._path, flags, 0o600), "r+b", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            if size + len(lines) > MOST_BYTES:
                raise OSError(0, f"it has {MOST_BYTES // 10**6} MB: put it aside")
            if size:
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":  # a power cut has torn the last line
                    lines = b"\n" + lines
            if file.write(lines) != len(lines):
                raise OSError(0, "the disk is full")
            os.fsync(file.fileno())


def check_review(verdict: str, label: str | None, names: Collection[str]) -> str | None:
    """Return the label of a review as it is written; None if there is to be none.

    Raises:
        ReviewError: such a review cannot be.
    """
    if verdict not in VERDICTS:
        raise ReviewError(f"expected a verdict ({', '.join(VERDICTS)}), got {verdict!r:.40}")
    if (label is not None) != (verdict == "other"):
        raise ReviewError("a label is given with the verdict 'other', and only then")
    return None if label is None else _named(label, names)


def _named(label: str, names: Collection[str]) -> str:
    """Return the one spelling of what somebody has typed.

    Raises:
        ReviewError: it can be nobody's name for a sound.
    """
    name = unicodedata.normalize("NFC", " ".join(label.split()))
    if not name.isprintable() or not any(c.isalnum() for c in name) or len(name) > LONGEST_LABEL:
        raise ReviewError(
            f"expected the name of a sound: at most {LONGEST_LABEL} characters, with a letter or "
            f"digit and none that a screen obeys; got {name!r:.90}"
        )
    known = {each.casefold(): each for each in names}
    return known.get(name.casefold(), name)


def reviews_path(configured: Path | None, node: str) -> Path:
    """Return where the reviews of a node are.

    Raises:
        ConfigError: if the user has no home directory.
    """
    return configured or state_folder() / f"reviews-{node}.jsonl"
