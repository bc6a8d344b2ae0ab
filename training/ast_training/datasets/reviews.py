"""Clips of events that people have reviewed on the page of `ast-edge`."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

from ast_edge.base.errors import ConfigError
from ast_edge.model.label import Label
from ast_edge.outputs.reviews import Review, has_clip, read_reviews, without_clip
from ast_training.data.clip_list import ClipList, RawClip
from ast_training.data.sources import choose_groups
from ast_training.data.tables import label_name


def read_reviewed(
    file: Path, clips: Path | None = None, labels: tuple[Label, ...] | None = None
) -> ClipList:
    """List the clips of events that were reviewed.

    A clip has the label that its event was said to be, and those of other reviewed events that
    sounded at the same time at that source; one that was only marked wrong may have none, and is an
    example of what is not meant. All clips of a source and a day (UTC) are one group, of which
    about 15 % validate.

    Args:
        file: what the page has written, `reviews-NODE.jsonl`.
        clips: where the clips are, if not where they were kept.
        labels: the labels, if not those that occur in alphabetical order.

    Raises:
        ReviewFileError: if the file cannot be used.
        ConfigError: if no clip is there, or none has a label, or one that is not among `labels`.
    """
    book = read_reviews(file, clips)
    found = [one for one in book.reviews if has_clip(one)]
    gone = [one for one in book.reviews if not has_clip(one)]
    missing = [*filter(None, [without_clip(gone)]), *book.notes]
    if not found:
        raise ConfigError(f"{file}: expected clips of the events, found none: {'; '.join(missing)}")
    heard = _heard_meanwhile(book.reviews)
    listed = [(one, _day(one), heard[one.id]) for one in found]
    held_out = choose_groups((day, names) for _, day, names in listed)
    raw = [
        RawClip(
            one.clip.name,
            one.clip,
            names,
            "validation" if day in held_out else "train",
            group=day,
        )
        for one, day, names in listed
        if one.clip
    ]
    if not any(clip.labels for clip in raw):
        raise ConfigError(
            f"{file}: all of {len(raw)} clips were marked wrong, and of none it was said what it "
            "was: there is no label to learn; review some as right, or as what they were"
        )
    return ClipList(file.stem, labels or _occurring(book.reviews, raw), raw, tuple(missing))


def _day(review: Review) -> str:
    """Name what is never divided: what sounds twice a day at one place is often one thing."""
    day = datetime.fromtimestamp(review.onset, timezone.utc).date()
    return f"{review.node}/{review.source}/{day}"


def _heard_meanwhile(reviews: Sequence[Review]) -> dict[str, tuple[str, ...]]:
    """Return what each event was, and what was heard beside it, by its id."""
    places: dict[tuple[str, str], list[Review]] = defaultdict(list)
    for one in sorted(reviews, key=lambda one: one.onset):
        places[one.node, one.source].append(one)
    names: dict[str, dict[str, None]] = {one.id: {} for one in reviews}
    for events in places.values():
        running: list[Review] = []
        for one in events:
            running = [other for other in running if other.onset + other.duration > one.onset]
            running.append(one)
            for other in running:
                for heard, beside in ((one, other), (other, one)):
                    if beside.true is not None:
                        names[heard.id][label_name(beside.true)] = None
    return {identifier: tuple(found) for identifier, found in names.items()}


def _occurring(reviews: Sequence[Review], clips: Sequence[RawClip]) -> tuple[Label, ...]:
    """Return the labels that occur, with the ids that the bundle knew."""
    mids = {label_name(one.label): one.mid for one in reviews}
    names = sorted({name for clip in clips for name in clip.labels})
    return tuple(Label(index, name, mids.get(name, "")) for index, name in enumerate(names))
