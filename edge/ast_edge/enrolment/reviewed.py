"""Takes and mistakes of a sound, as people have reviewed them on the page."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ast_edge.base.errors import AudioError
from ast_edge.base.printable import printable
from ast_edge.enrolment.errors import EnrolmentError
from ast_edge.enrolment.take import Take, read_mono, read_take
from ast_edge.frontend.fbank import FbankSpec
from ast_edge.model.label import Label
from ast_edge.outputs.reviews import Review, ReviewBook, has_clip, without_clip

_Sound = TypeVar("_Sound")

MOST_TAKES, MOST_MISTAKES = 50, 200
"""Of each the newest that are learnt from."""


@dataclass(frozen=True, eq=False)
class ReviewedSound:
    """What there is to learn a sound from."""

    takes: Sequence[Take]
    """The clips of events that were it."""
    mistakes: Sequence[Path]
    """The clips of events that were reported as it, and were not."""
    notes: Sequence[str]
    """What was left out, and why."""


def read_reviewed(book: ReviewBook, name: str, spec: FbankSpec) -> ReviewedSound:
    """Read the clips of events that were reviewed as this sound, and of those that were not it.

    A clip that is gone or damaged is said and left out.

    Raises:
        EnrolmentError: if no event was reviewed as it, or none of them has a clip to learn from.
    """
    slug = Label(0, name, "").slug
    were = [one for one in book.reviews if _slug(one.true) == slug]
    mistaken = [one for one in book.reviews if one.slug == slug and _slug(one.true) != slug]
    if not were:
        known = Counter(one.true for one in book.reviews if one.true).most_common(5)
        shown = (
            ", ".join(f"{printable(true)} {count}" for true, count in known) or "none as a sound"
        )
        raise EnrolmentError(
            f"{book.path}: expected events that were reviewed as {name!r}, got {shown}; "
            "--reviewed-as LABEL says what they were called"
        )
    gone = [one for one in were + mistaken if not has_clip(one)]
    notes = [*filter(None, [without_clip(gone)])]
    takes = list(_read(were, MOST_TAKES, lambda path: read_take(path, spec), notes))
    if not takes:
        raise EnrolmentError(
            f"{book.path}: none of {len(were)} events that were reviewed as {name!r} has a clip to "
            f"learn from: {'; '.join(notes)}"
        )

    def check(path: Path) -> Path:
        read_mono(path, spec.sample_rate)
        return path

    return ReviewedSound(takes, list(_read(mistaken, MOST_MISTAKES, check, notes)), notes)


def _read(
    reviews: Sequence[Review], most: int, read: Callable[[Path], _Sound], notes: list[str]
) -> Iterator[_Sound]:
    """Yield what can be read of the newest, and note what cannot."""
    clips = [one.clip for one in sorted(reviews, key=lambda one: one.onset) if has_clip(one)]
    if len(clips) > most:
        notes.append(f"of {len(clips)} clips the newest {most} are learnt from")
    for clip in clips[-most:]:
        assert clip, "it has one"
        try:
            yield read(clip)
        except (AudioError, EnrolmentError) as exc:
            notes.append(f"left out: {exc}")


def _slug(name: str | None) -> str | None:
    return None if name is None else Label(0, name, "").slug
