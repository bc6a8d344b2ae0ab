"""How long after its onset a sound is told of."""

from collections.abc import Sequence

from ast_edge.evaluation.detector import Detection
from ast_edge.evaluation.false_alarms import is_near
from ast_edge.evaluation.span import Span


def first_detections(
    references: Sequence[Span], detections: Sequence[Detection]
) -> list[Detection | None]:
    """Return for each reference the first event that has to do with it, or None if it was missed.

    An event that goes on over several references answers the first of them, and the others as
    well, though it tells nothing new: see `latencies`.
    """
    by_time = sorted(detections, key=lambda one: one.told)
    return [
        next((one for one in by_time if is_near(span, one.span)), None)
        for span in sorted(references)
    ]


def latencies(references: Sequence[Span], detections: Sequence[Detection]) -> list[float]:
    """Return the seconds from onset to the telling, for every event that told of a new sound.

    It is the sound that had been heard that counts: the time to compute comes on top.
    """
    answered: set[int] = set()
    seconds = []
    answers = first_detections(references, detections)
    for span, one in zip(sorted(references), answers, strict=True):
        if one is not None and id(one) not in answered:
            answered.add(id(one))
            seconds.append(one.told - span.onset)
    return seconds
