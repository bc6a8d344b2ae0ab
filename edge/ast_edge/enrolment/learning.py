"""From takes and other sound to a label: heads, and what is known of how well they do."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ast_edge.enrolment.embedder import Embedder
from ast_edge.enrolment.lesson import Teacher, hear_variants
from ast_edge.enrolment.margin import HeadPair, Margins, alarms, draw_line, margins
from ast_edge.enrolment.negatives import Negatives
from ast_edge.enrolment.rehearsal import Rehearsal, rehearse
from ast_edge.enrolment.take import Take
from ast_edge.enrolment.variants import VariantMaker
from ast_edge.model.own_labels import Evidence

MOST_FOLDS = 10
ON = 0.5
"""What a score must reach; heads are lowered until so few alarms do as were wished for."""


@dataclass(frozen=True, eq=False)
class Learnt:
    """A sound that was learnt."""

    heads: HeadPair
    evidence: Evidence
    scores: Sequence[float | None]
    """(takes,) of each take when it was held out; None where there is one only."""
    alarms: Sequence[tuple[str, float]]
    """Where other sound passed for it: recording and second."""
    known: Sequence[NDArray[np.float32]]
    """(takes,) (labels,) what the bundle has heard in each take, its highest probability."""


def learn(
    takes: Sequence[Take],
    negatives: Negatives,
    maker: VariantMaker,
    embedder: Embedder,
    wish: float,
) -> Learnt:
    """Learn a sound from takes, so that it is heard wrongly so many times an hour.

    What the evidence says was judged by heads that had learnt neither from that take nor from that
    stretch of other sound.
    """
    sound = hear_variants(takes, maker, embedder)
    teacher = Teacher(sound, negatives)
    rehearsals = [rehearse(take, embedder) for take in takes]
    folds = max(2, min(MOST_FOLDS, len(takes)))
    gated = embedder.bundle.clip_gate
    of_take, of_window = np.arange(len(takes)) % folds, negatives.stretch % folds
    judged = [_judge(teacher, fold, of_take, of_window) for fold in range(folds)]
    found: Margins = np.empty(len(negatives))
    for fold, heads in enumerate(judged):
        held = of_window == fold
        found[held] = margins(negatives.embedded[held], heads, gated=gated)
    line = draw_line(found, negatives, wish)
    scores = _scores(rehearsals, judged, of_take, line)
    wrong = alarms(found, negatives, line)
    everything = np.ones(len(takes), np.bool_), np.ones(len(negatives), np.bool_)
    evidence = Evidence(
        takes=len(takes),
        held_out=sum(score is not None for score in scores),
        found=sum(score is not None and score >= ON for score in scores),
        hours=round(negatives.hours, 3),
        alarms=len(wrong),
        bank=not negatives.places,
    )
    return Learnt(
        teacher.learn(*everything).lowered(line),
        evidence,
        scores,
        [negatives.places[place] for place in wrong] if negatives.places else [],
        [rehearsal.known for rehearsal in rehearsals],
    )


def _judge(
    teacher: Teacher, fold: int, of_take: NDArray[np.integer], of_window: NDArray[np.integer]
) -> HeadPair:
    """Learn without a fold; a single take cannot be left out."""
    kept = of_take != fold
    return teacher.learn(kept if kept.any() else ~kept, of_window != fold)


def _scores(
    rehearsals: Sequence[Rehearsal],
    judged: Sequence[HeadPair],
    of_take: NDArray[np.integer],
    line: float,
) -> list[float | None]:
    if len(rehearsals) == 1:
        return [None]
    lowered = [heads.lowered(line) for heads in judged]
    return [
        rehearsal.score(lowered[fold]) for rehearsal, fold in zip(rehearsals, of_take, strict=True)
    ]
