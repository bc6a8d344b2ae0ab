"""Thresholds that are raised by what somebody has said of events."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ast_edge.base.printable import printable
from ast_edge.detection.groups import Group
from ast_edge.detection.hearing import Hearing
from ast_edge.evaluation.view.table import number_of
from ast_edge.model.label import Label
from ast_edge.model.label_settings import TrackerSettings
from ast_edge.outputs.reviews import Review, ReviewFileError

FEWEST = 10
"""Reviewed events of a label; of fewer nothing is concluded."""
STEP = 0.01
"""How far above a wrong event `on` goes, if there is so much room."""
HIGHEST = 0.999
"""No `on` rises above this."""
_ROUNDED = 0.0001
"""Peaks are told to four digits."""


@dataclass(frozen=True)
class ReviewedLabel:
    """One label or group, and the peaks of its events that the settings as they are let pass."""

    label: Label
    before: TrackerSettings
    right: Sequence[float]
    wrong: Sequence[float]

    @property
    def is_known(self) -> bool:
        """Whether enough was reviewed to conclude anything."""
        return len(self.right) + len(self.wrong) >= FEWEST

    @property
    def on(self) -> float:
        """The lowest threshold that keeps all right events and the fewest wrong ones.

        It is just above the surest wrong event that is less sure than every right one.
        """
        most = min(self.right) - _ROUNDED if self.right else HIGHEST
        barred = [peak for peak in self.wrong if peak + _ROUNDED <= most]
        if not self.is_known or not barred:
            return self.before.on
        step = max(_ROUNDED, min(STEP, (most - max(barred)) / 2))
        return max(self.before.on, round(max(barred) + step, 4))

    @property
    def wrong_after(self) -> int:
        """Wrong events that would still be reported."""
        return sum(peak >= self.on for peak in self.wrong)


@dataclass
class _LeftOut:
    """Reviews that tell nothing of these thresholds, by the reason."""

    counts: dict[str, int] = field(default_factory=dict)

    def add(self, reason: str) -> None:
        self.counts[reason] = self.counts.get(reason, 0) + 1

    def __iter__(self) -> Iterator[str]:
        for reason, count in self.counts.items():
            yield f"left out: {number_of('review', count)} of {reason}"


def tune_by_reviews(
    reviews: Sequence[Review], hearing: Hearing, settings: Mapping[Label, TrackerSettings]
) -> tuple[list[ReviewedLabel], list[str]]:
    """Return the labels of which events were reviewed, and lines on reviews that do not count.

    Raises:
        ReviewFileError: if too few events were reviewed to conclude anything of any label.
    """
    known = {label.slug: label for label in settings}
    right: dict[Label, list[float]] = {label: [] for label in settings}
    wrong: dict[Label, list[float]] = {label: [] for label in settings}
    left_out = _LeftOut()
    for one in reviews:
        label = known.get(one.slug)
        if label is None:
            left_out.add("labels that are not tuned here")
        elif one.bundle is not None and one.bundle != hearing.bundle.name:
            left_out.add("other bundles, whose scores are others")
        elif one.peak is None or one.peak < settings[label].on:
            left_out.add("events that the settings as they are do not report any more")
        else:
            (right if _holds(one, label) else wrong)[label].append(one.peak)
    found = [
        ReviewedLabel(label, now, right[label], wrong[label])
        for label, now in settings.items()
        if right[label] or wrong[label]
    ]
    if not any(one.is_known for one in found):
        counts = [f"{one.label.name} {len(one.right) + len(one.wrong)}" for one in found]
        raise ReviewFileError(
            f"too few reviews to raise a threshold by: expected {FEWEST} or more of a label, got "
            + "; ".join([", ".join(counts) or "none that count", *left_out])
        )
    return found, list(left_out)


def _holds(review: Review, label: Label) -> bool:
    """Tell whether an event was what it was reported as; a group is what its members are."""
    members = {member.name for member in label.members} if isinstance(label, Group) else set()
    return review.is_right or review.true in members


def review_summary(found: Sequence[ReviewedLabel]) -> Iterator[str]:
    """Say by what rule thresholds were chosen, and what they cannot do."""
    yield (
        "on rises to just above the surest wrong event that is less sure than every right one; no "
        "event that was marked right is lost, off and hold stay. What is missed, before or "
        "after, cannot be known from reviews"
    )
    for one in found:
        name, kept = printable(one.label.name), one.wrong_after
        if not one.is_known:
            yield f"{name}: stays, for fewer than {FEWEST} of its events were reviewed"
        elif not one.right:
            yield (
                f"{name}: nothing was marked right, so that nobody knows whether it is still "
                "found: leave it out, or review more"
            )
        elif kept:
            yield (
                f"{name}: {kept} of {len(one.wrong)} wrong events are as sure as right ones; a "
                "threshold does not tell them apart (`ast-edge enrol --from-reviews` may)"
            )
        if one.is_known and one.right and one.on > one.before.on:
            lost = 1 - 0.05 ** (1 / len(one.right))
            yield (
                f"{name}: {len(one.right)} right events are kept; of those to come less than "
                f"{lost:.0%} are lost (95 % confidence)"
            )
