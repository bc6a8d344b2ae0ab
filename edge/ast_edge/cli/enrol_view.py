"""What `ast-edge enrol` says of takes and of what was learnt from them."""

from collections.abc import Iterator, Sequence

import numpy as np

from ast_edge.enrolment.learning import ON, Learnt
from ast_edge.enrolment.take import Take
from ast_edge.model.bundle import Bundle

_SHOWN = 8


def print_take(take: Take) -> None:
    """Say which part of a recording is taken for the sound."""
    whole = len(take.samples) / take.rate
    at = f", from {take.start / take.rate:.2f} s on" if take.start else ""
    print(f"{take.name}: {take.seconds:.2f} s of {whole:.2f} s are the sound{at}")


def print_learnt(name: str, takes: Sequence[Take], learnt: Learnt, base: Bundle) -> None:
    """Say how well the sound is found, and what may be wrong with what it was learnt from."""
    print(f"{name}: {learnt.evidence}")
    for take, score in zip(takes, learnt.scores, strict=True):
        if score is not None and score < ON:
            print(f"  not found when it was held out: {take.name} ({score:.2f})")
    for recording, second in learnt.alarms[:_SHOWN]:
        print(f"  alarm: {recording} at {_clock(second)}")
    if len(learnt.alarms) > _SHOWN:
        print(f"  and {len(learnt.alarms) - _SHOWN} more")
    for line in doubts(learnt, base):
        print(f"  note: {line}")


def doubts(learnt: Learnt, base: Bundle) -> Iterator[str]:
    """Yield what may be wrong, and what to do about it."""
    count = len(learnt.known)
    if count == 1:
        yield "one take tells nothing of the next: record three to five"
    for label in base.labels:
        heard = sum(bool(known[label.index] >= base.settings[label].on) for known in learnt.known)
        if heard > count / 2:
            takes = "the take" if count == 1 else f"{heard} of {count} takes"
            yield (
                f"{label.name!r} is heard in {takes}: if that is not the sound itself, "
                "what was learnt may be that; record takes without it"
            )
    scores = [score for score in learnt.scores if score is not None]
    if scores and np.median(scores) < ON:
        yield (
            "most takes are not found: give more takes, negatives of ordinary days (--negatives), "
            "or live with more false alarms (--alarms)"
        )


def _clock(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
