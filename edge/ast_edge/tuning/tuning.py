"""Settings of all labels for one wish, and what they change."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ast_edge.evaluation.bootstrap import rooms_limit
from ast_edge.model.label import Label
from ast_edge.model.label_settings import TrackerSettings
from ast_edge.tuning.alike import lifted, mean_rates
from ast_edge.tuning.allotment import allot
from ast_edge.tuning.choice import Choice, Options, choose, expected_rates, safe_rates, without
from ast_edge.tuning.pieces import FOLDS, Pieces
from ast_edge.tuning.trial import Trial

CONFIDENCE = 0.95
AIMS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Shares of the wish that may be expected, so that all of it can be promised."""


@dataclass(frozen=True, eq=False)
class TunedLabel:
    """One label or group."""

    label: Label
    before: TrackerSettings
    after: TrackerSettings
    share: float
    """False alarms per hour that it was allowed."""
    choice: Choice
    ons: NDArray[np.float64]
    """(tried,) values of `on`, falling, with all else as it was chosen."""
    counts: NDArray[np.int64]
    """(tried,) false alarms with each."""
    expected: NDArray[np.float64]
    """(tried,) false alarms per hour; see `expected_rates`."""
    found: NDArray[np.int64]
    """(tried,) references that are found with each."""
    references: int
    alarms_before: int
    found_before: int

    @property
    def alarms_after(self) -> int:
        """False alarms in the negatives with the new settings."""
        return int(self.counts[self._chosen])

    @property
    def found_after(self) -> int:
        """References that are found with the new settings."""
        return int(self.found[self._chosen])

    @property
    def _chosen(self) -> int:
        return int(np.flatnonzero(self.ons == self.after.on)[0])


@dataclass(frozen=True, eq=False)
class Tuning:
    """Everything that was tuned together."""

    wish: float
    """False alarms per hour over all labels."""
    pieces: Pieces
    """Of the negatives."""
    labels: tuple[TunedLabel, ...]
    held_out: NDArray[np.int64]
    """(pieces,) false alarms of all labels with settings chosen by other pieces alone."""

    @property
    def hours(self) -> float:
        """Of negatives."""
        return self.pieces.hours

    @property
    def limit(self) -> float:
        """What the rate per hour is below, with 95 % confidence, by what was held out."""
        return rooms_limit(self.held_out.tolist(), CONFIDENCE) / self.hours

    @property
    def is_kept(self) -> bool:
        """Whether the wish is kept with that confidence."""
        return self.limit <= self.wish

    @property
    def at_best(self) -> float:
        """What these hours could promise, per hour, without any false alarm."""
        return rooms_limit([], CONFIDENCE) / self.hours

    @property
    def hours_needed(self) -> float:
        """Hours without any false alarm that would show the wish to be kept."""
        return rooms_limit([], CONFIDENCE) / self.wish


def tune(
    trials: Sequence[Trial],
    pieces: Pieces,
    wish: float,
    *,
    lowest: float,
    equal: bool = False,
    sure: bool = True,
) -> Tuning:
    """Choose the settings of all labels.

    Those with references share the wish so that they are found as often as can be; see `allot`.

    Args:
        trials: what was tried.
        pieces: of the negatives.
        wish: false alarms per hour of all labels together.
        lowest: no `on` falls below this.
        equal: give every label the same share of the wish.
        sure: expect so much less than the wish that it is kept with 95 % confidence, if that can
            be had with so many hours; else it is what is expected.
    """
    chooser = _Chooser(trials, pieces, lowest=lowest, equal=equal)
    aims = [share * wish for share in AIMS] if sure else []
    aim, held_out = wish, None
    for tried in aims:  # from below, so that luck with one of them is of no use
        counts = chooser.hold_out(tried)
        if rooms_limit(counts.tolist(), CONFIDENCE) > wish * pieces.hours:
            break
        aim, held_out = tried, counts
    shares, choices = chooser.choose(aim)
    return Tuning(
        wish,
        pieces,
        tuple(map(_describe, trials, shares, choices, [pieces.hours] * len(trials))),
        chooser.hold_out(aim) if held_out is None else held_out,
    )


def _describe(trial: Trial, share: float, choice: Choice, hours: float) -> TunedLabel:
    (family,) = (one for one in trial.families if one.start <= choice.option < one.stop)
    scanned = trial.scanned[family]
    return TunedLabel(
        label=trial.label,
        before=trial.before,
        after=trial.tried[choice.option],
        share=share,
        choice=choice,
        ons=np.array([one.on for one in scanned]),
        counts=np.array([len(one.peaks) for one in scanned]),
        expected=expected_rates(scanned, hours),
        found=trial.found[family],
        references=trial.references,
        alarms_before=trial.alarms_before,
        found_before=trial.found_before,
    )


class _Chooser:
    """Choose by all pieces, or by all but a fifth of them."""

    def __init__(
        self, trials: Sequence[Trial], pieces: Pieces, *, lowest: float, equal: bool
    ) -> None:
        self._trials, self._pieces = trials, pieces
        self._known = [not equal and trial.references > 0 for trial in trials]
        nothing = np.zeros(len(pieces.seconds), bool)
        self._all = self._options(nothing, lowest)
        parts = [pieces.folds == fold for fold in range(FOLDS)]
        self._folds = [
            (part, self._options(part, lowest)) for part in parts if part.any() and not part.all()
        ]

    def choose(self, wish: float) -> tuple[list[float], list[Choice]]:
        """Return what each label may have, and what it takes for that."""
        return _choose(self._all, wish)

    def hold_out(self, wish: float) -> NDArray[np.int64]:
        """Count the false alarms (pieces,) of settings that were chosen without each part.

        What is counted on the hours by which one has chosen is always as good as was wished.
        """
        counts = np.zeros(len(self._pieces.seconds), np.int64)
        for part, options in self._folds:
            _, choices = _choose(options, wish)
            for trial, choice in zip(self._trials, choices, strict=True):
                found = trial.scanned[choice.option].pieces
                counts += np.bincount(found[part[found]], minlength=len(counts))
        return counts

    def _options(self, left_out: NDArray[np.bool_], lowest: float) -> list[Options]:
        hours = float(self._pieces.seconds[~left_out].sum()) / 3600
        ons = [np.array([one.on for one in trial.scanned]) for trial in self._trials]
        rates = [self._rates(trial, left_out, hours) for trial in self._trials]
        firsts = [next(trial.families) for trial in self._trials]
        mean = mean_rates(
            [one[first] for one, first in zip(ons, firsts, strict=True)],
            [one[first] for one, first in zip(rates, firsts, strict=True)],
        )
        found = list[Options]()
        for number, (trial, known) in enumerate(zip(self._trials, self._known, strict=True)):
            allowed = ons[number] >= min(lowest, ons[number].max())
            costs = np.where(allowed, lifted(ons[number], rates[number], mean, hours), np.inf)
            found.append(Options(ons[number], costs, trial.worth if known else None))
        return found

    @staticmethod
    def _rates(trial: Trial, left_out: NDArray[np.bool_], hours: float) -> NDArray[np.float64]:
        scanned = [without(one, left_out) for one in trial.scanned]
        return np.concatenate([safe_rates(scanned[family], hours) for family in trial.families])


def _choose(options: Sequence[Options], wish: float) -> tuple[list[float], list[Choice]]:
    frontiers = [one.frontier() for one in options]
    shares = allot([rates for rates, _ in frontiers], [worth for _, worth in frontiers], wish)
    return shares, [choose(one, share) for one, share in zip(options, shares, strict=True)]
