"""What people have said of events, read from the lines of JSON that the page writes."""

import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ast_edge.base.errors import AstError
from ast_edge.outputs.clip_folder import clip_id, find_clips

SCHEMA = 1
"""Raised when a key changes its meaning or goes away; a new key does not raise it."""
VERDICTS = ("right", "wrong", "other", "undone")

Json = dict[str, Any]


class ReviewFileError(AstError):
    """A file of reviews cannot be used, or says too little for what is asked (EX_DATAERR)."""

    exit_code = 65


@dataclass(frozen=True)
class Review:
    """The newest word on one event."""

    id: str
    node: str
    source: str
    label: str
    """Name of the label or group that was reported."""
    slug: str
    mid: str
    true: str | None
    """Name of what it was; None if nobody said, only that it was not `label`."""
    onset: float
    """Unix seconds."""
    duration: float
    """Seconds, as far as it was known."""
    peak: float | None
    bundle: str | None
    """Name of the bundle that heard it."""
    clip: Path | None
    """Where its sound is, or was when it was reviewed; None if none was kept."""

    @property
    def is_right(self) -> bool:
        """Whether it was what it was reported as."""
        return self.true == self.label


@dataclass(frozen=True)
class ReviewBook:
    """The reviews of a file, and how many of its lines are none."""

    path: Path
    reviews: Sequence[Review]
    """Of each event one, in the order in which they were given."""
    damaged: Sequence[int]
    """Numbers of the lines that cannot be read, from 1 on."""

    @property
    def notes(self) -> list[str]:
        """Say what of the file was passed over."""
        if not self.damaged:
            return []
        many = "a line is" if len(self.damaged) == 1 else f"{len(self.damaged)} lines are"
        return [
            f"{self.path}: {many} damaged and passed over, the first of them line {self.damaged[0]}"
        ]


def read_reviews(path: Path, clips: Path | None = None) -> ReviewBook:
    """Read the newest review of each event; what was undone was never said.

    Lines that a power cut or an editor has damaged are counted and passed over.

    Args:
        path: the file.
        clips: a folder with clips, if they are not where they were.

    Raises:
        ReviewFileError: it cannot be read, is of a newer ast-edge, or holds no review.
    """
    moved = _moved(clips) if clips else {}
    found: dict[str, Review] = {}
    damaged: list[int] = []
    try:
        for number, line in _lines(path):
            said = _parse(line)
            _check_schema(said, path, number)
            if said is None or not _is_review(said):
                damaged.append(number)
                continue
            found.pop(said["id"], None)
            if said["verdict"] == "undone":
                continue
            review = _review(said, moved)
            if review is None:
                damaged.append(number)
            else:
                found[review.id] = review
    except OSError as exc:
        raise ReviewFileError(
            f"{path}: cannot be read: {exc.strerror}; expected what the page writes, "
            "reviews-NODE.jsonl in the state folder"
        ) from exc
    if not found:
        none = f"; {len(damaged)} of its lines are none" if damaged else ""
        raise ReviewFileError(f"{path}: expected reviews of events, found none{none}")
    return ReviewBook(path, list(found.values()), damaged)


def newest_lines(path: Path) -> dict[str, Json]:
    """Return the newest review of each event that has one as it stands there, by the event's id.

    Lines that are damaged, or of another version, are none; nor has a file that is not there any.

    Raises:
        OSError: the file cannot be read.
    """
    found: dict[str, Json] = {}
    if not path.exists():
        return found
    for _, line in _lines(path):
        said = _parse(line)
        if said is None or not _is_review(said):
            continue
        found.pop(said["id"], None)
        if said["verdict"] != "undone":
            found[said["id"]] = said
    return found


def _is_review(said: Json) -> bool:
    """Tell whether an object says something of an event."""
    known = said.get("schema") == SCHEMA and said.get("verdict") in VERDICTS
    return known and isinstance(said.get("id"), str)


def without_clip(reviews: Sequence[Review]) -> str:
    """Say why the sound of some events is not there; empty if all have theirs."""
    if not reviews:
        return ""
    labels = Counter(review.label for review in reviews)
    which = ", ".join(f"{name} {count}" for name, count in labels.most_common(5))
    return (
        f"no clip of {len(reviews)} of the events ({which}{', …' if len(labels) > 5 else ''}): "
        "sound is kept only where `clips:` is on, and for its max_age (7 days unless given); "
        "it may be another user's; --clips FOLDER says where it has gone"
    )


def has_clip(review: Review) -> bool:
    """Tell whether the sound of an event is there, and may be looked for."""
    try:
        return review.clip is not None and review.clip.is_file()
    except OSError:  # a folder of another user's, a name that no file can have
        return False


def _moved(folder: Path) -> dict[str, Path]:
    try:
        return find_clips(folder)
    except OSError as exc:
        raise ReviewFileError(f"{folder}: expected a folder of clips: {exc.strerror}") from exc


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield what is not empty, with its number; bytes that are no text are marked as that."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield number, line


def _parse(line: str) -> Json | None:
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None


def _check_schema(said: Json | None, path: Path, number: int) -> None:
    schema = (said or {}).get("schema")
    if isinstance(schema, int) and schema > SCHEMA:
        raise ReviewFileError(
            f"{path}, line {number}: expected reviews of schema {SCHEMA}, got {schema}: a newer "
            "ast-edge has written them; use that one"
        )


def _review(said: Json, moved: dict[str, Path]) -> Review | None:
    """Return a line that `_is_review`; None if it lacks what every review has."""
    named = {"right": "label", "other": "true"}.get(said["verdict"])
    try:
        return Review(
            id=said["id"],
            node=_text(said, "node"),
            source=_text(said, "source"),
            label=_text(said, "label"),
            slug=_text(said, "slug"),
            mid=_text(said, "mid", none=""),
            true=_text(said, named) if named else None,
            onset=_time(said, "onset"),
            duration=_number(said, "duration", 0.0),
            peak=None if said.get("peak") is None else _number(said, "peak", 0.0, most=1.0),
            bundle=_text(said, "bundle", none="") or None,
            clip=moved.get(said["id"]) or _clip(said),
        )
    except (ValueError, OverflowError):
        return None


def _clip(said: Json) -> Path | None:
    """Return the file that a review names, if its name is that of this event's clip."""
    path = said.get("clip")
    return Path(path) if isinstance(path, str) and clip_id(Path(path)) == said["id"] else None


def _text(said: Json, key: str, none: str | None = None) -> str:
    value = said.get(key)
    value = none if value is None else value
    if not isinstance(value, str) or (none is None and not value):
        raise ValueError(key)
    value.encode()  # half a surrogate pair is no text
    return value


def _time(said: Json, key: str) -> float:
    moment = datetime.fromisoformat(_text(said, key).replace("Z", "+00:00"))
    return moment.astimezone(timezone.utc).timestamp()  # which refuses years beyond its own


def _number(said: Json, key: str, none: float, most: float = math.inf) -> float:
    value = none if said.get(key) is None else said[key]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(key)
    if not math.isfinite(value) or not 0 <= value <= most:
        raise ValueError(key)
    return float(value)
