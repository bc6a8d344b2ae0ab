"""What settings of a label would do in recordings."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ast_edge.evaluation.curve import Curve
from ast_edge.evaluation.span import Span
from ast_edge.evaluation.truth.unsure import Unsure
from ast_edge.model.label import Label
from ast_edge.model.label_settings import TrackerSettings
from ast_edge.tuning.alarms import GRID, Alarms
from ast_edge.tuning.choice import TAIL_EVENTS
from ast_edge.tuning.judge import Judge
from ast_edge.tuning.pieces import Pieces
from ast_edge.tuning.replay import Player
from ast_edge.tuning.stretches import Stretches, decided

OFFS = (0.2, 0.35, 0.5, 0.65, 0.8, 0.95)
"""Shares of `on` that are tried as `off`, where it is known what they are worth."""
HOLDS = (1.0, 2.0)
"""Seconds that are tried beside the present ones. Shorter ones, and minimum durations, find no more
for as many false alarms: they make the choice larger, and so the luck that is in it."""


@dataclass(frozen=True, eq=False)
class Recording:
    """The scores of a recording, and where labels sound in it (nowhere in a negative one)."""

    curve: Curve
    seconds: float
    references: Mapping[Label, Sequence[Span]]
    unsure: Unsure = field(default_factory=dict)
    """Where labels may sound as well: what is told there counts for nothing."""


@dataclass(frozen=True, eq=False)
class Trial:
    """What one label or group does with all settings that were tried."""

    label: Label
    before: TrackerSettings
    tried: tuple[TrackerSettings, ...]
    family: NDArray[np.int64]
    """(tried,) those of one family differ in `on`, which falls, and in `off` as a share of it."""
    scanned: tuple[Alarms, ...]
    """The false alarms with each."""
    found: NDArray[np.int64]
    """(tried,) references that an event has to do with."""
    worth: NDArray[np.float64]
    """(tried,) 0 to 1; see `Judge`."""
    references: int
    alarms_before: int
    found_before: int

    @property
    def families(self) -> Iterator[slice]:
        """Yield which of those tried are of one family."""
        edges = np.flatnonzero(np.diff(self.family)) + 1
        bounds = [0, *edges.tolist(), len(self.family)]
        yield from itertools.starmap(slice, itertools.pairwise(bounds))


def try_settings(
    negatives: Sequence[Recording],
    positives: Sequence[Recording],
    settings: Mapping[Label, TrackerSettings],
    pieces: Pieces,
    *,
    off_share: float | None,
    most: float,
) -> list[Trial]:
    """Try settings of these labels, from the highest `on` on.

    Where it is shown when a label sounds, `off` and `hold` are tried as well; else they stay, for
    nothing says what they are good for.

    Args:
        negatives: in which every event is a false alarm, but where it is unsure.
        positives: recordings whose references tell what is found.
        settings: what holds now.
        pieces: of the negatives.
        off_share: `off` as a share of `on`; None keeps each label's present one.
        most: false alarms per hour that a label may have; nothing far below is tried.
    """
    enough = 2 * max(TAIL_EVENTS, int(most * pieces.hours))
    return [
        _try_label(negatives, positives, label, now, pieces, off_share, enough)
        for label, now in settings.items()
    ]


def _try_label(
    negatives: Sequence[Recording],
    positives: Sequence[Recording],
    label: Label,
    now: TrackerSettings,
    pieces: Pieces,
    off_share: float | None,
    enough: int,
) -> Trial:
    judge = Judge(
        [one.references.get(label, ()) for one in positives],
        [one.unsure.get(label, ()) for one in positives],
    )
    unsure = Stretches.of([one.unsure.get(label, ()) for one in negatives])
    families = _families(now, off_share, several=judge.knows_times)
    lowest = min(now.off, *(one.off for family in families for one in family))
    quiet = Player([one.curve for one in negatives], label, lowest)
    loud = Player([one.curve for one in positives], label, lowest)
    tried, numbers, scanned = list[TrackerSettings](), list[int](), list[Alarms]()
    verdicts = []
    for number, family in enumerate(families):
        for one in family:
            events = decided(quiet.play(one), unsure)
            tried.append(one)
            numbers.append(number)
            scanned.append(
                Alarms(one.on, pieces.find(events.recording, events.onsets), events.peaks)
            )
            verdicts.append(judge.judge(loud.play(one)))
            if len(events) > enough:
                break
    return Trial(
        label=label,
        before=now,
        tried=tuple(tried),
        family=np.array(numbers),
        scanned=tuple(scanned),
        found=np.array([one.found for one in verdicts]),
        worth=np.array([one.worth for one in verdicts]),
        references=judge.references,
        alarms_before=len(decided(quiet.play(now), unsure)),
        found_before=judge.judge(loud.play(now)).found,
    )


def _families(
    now: TrackerSettings, off_share: float | None, *, several: bool
) -> list[list[TrackerSettings]]:
    """Return the families of settings to try, the present one first."""
    share = (now.off / now.on if now.on else 1.0) if off_share is None else off_share
    shapes = [(share, now.hold)]
    if several and not now.cooldown:
        offs = OFFS if off_share is None else (off_share,)
        shapes += itertools.product(offs, (now.hold, *HOLDS))
    return [
        [replace(now, on=on, off=round(off * on, 3), hold=hold) for on in GRID]
        for off, hold in dict.fromkeys(shapes)
    ]
