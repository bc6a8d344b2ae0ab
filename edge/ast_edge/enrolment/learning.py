"""From takes and other sound to a label: heads, and what is known of how well they do."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ast_edge.enrolment.embedder import Embedder
from ast_edge.enrolment.lesson import Teacher, hear_variants
from ast_edge.enrolment.margin import HeadPair, Margins, alarms, draw_line, margins, raise_line
from ast_edge.enrolment.negatives import Negatives, beside
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
    mistaken: Sequence[str] = ()
    """Recordings of mistakes that passed for it once more, by heads that had not learnt them."""


def learn(
    takes: Sequence[Take],
    negatives: Negatives,
    maker: VariantMaker,
    embedder: Embedder,
    wish: float,
    mistakes: Negatives | None = None,
) -> Learnt:
    """Learn a sound from takes, so that it is heard wrongly so many times an hour.

    What the evidence says was judged by heads that had learnt neither from that take nor from that
    stretch of other sound.

    Args:
        takes: of the sound.
        negatives: other sound as it comes.
        maker: makes variants of takes.
        embedder: of the bundle.
        wish: false alarms per hour.
        mistakes: what was taken for the sound. It is learnt from, but counts for no rate: it was
            chosen for being mistaken, and nobody knows out of how many hours.
    """
    sound = hear_variants(takes, maker, embedder)
    other = beside(negatives, mistakes) if mistakes else negatives
    teacher = Teacher(sound, other)
    rehearsals = [rehearse(take, embedder) for take in takes]
    folds = max(2, min(MOST_FOLDS, len(takes)))
    gated = embedder.bundle.clip_gate
    of_take, of_window = np.arange(len(takes)) % folds, other.stretch % folds
    judged = [_judge(teacher, fold, of_take, of_window) for fold in range(folds)]
    margin: Margins = np.empty(len(other))
    for fold, heads in enumerate(judged):
        held = of_window == fold
        margin[held] = margins(other.embedded[held], heads, gated=gated)
    found = margin[: len(negatives)]
    line, held_out = draw_line(found, negatives, wish), len(takes) > 1
    reached = _scores(rehearsals, judged, of_take, line)
    line = raise_line(line, reached, held_out=held_out)
    scores = _scores(rehearsals, judged, of_take, line) if held_out else [None]
    wrong = alarms(found, negatives, line)
    everything = np.ones(len(takes), np.bool_), np.ones(len(other), np.bool_)
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
        _recordings(mistakes, margin[len(negatives) :] >= line) if mistakes else (),
    )


def _recordings(negatives: Negatives, heard: NDArray[np.bool_]) -> list[str]:
    """Name the recordings with a window that is heard (windows,)."""
    return sorted({negatives.places[place][0] for place in np.flatnonzero(heard).tolist()})


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
) -> list[float]:
    """Score each take by the heads of its fold: with a single one these have learnt from it."""
    lowered = [heads.lowered(line) for heads in judged]
    return [
        rehearsal.score(lowered[fold]) for rehearsal, fold in zip(rehearsals, of_take, strict=True)
    ]
