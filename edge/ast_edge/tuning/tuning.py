"""Thresholds of all labels for one wish, and what they change."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ast_edge.evaluation.poisson import poisson_limit
from ast_edge.events import Label
from ast_edge.tracker import TrackerSettings
from ast_edge.tuning.alarms import Alarms
from ast_edge.tuning.allotment import allot
from ast_edge.tuning.choice import (
    FOLDS,
    Choice,
    choose,
    count_held_out,
    expected_rates,
    without_fold,
)
from ast_edge.tuning.trial import Trial

CONFIDENCE = 0.95


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
    """(tried,) values of `on`, falling."""
    counts: NDArray[np.int64]
    """(tried,) false alarms with each."""
    expected: NDArray[np.float64]
    """(tried,) false alarms per hour; see `expected_rates`."""
    found: NDArray[np.int64]
    """(tried,) references that are found with each."""
    references: int
    alarms_before: int
    found_before: int
    held_out: int
    """False alarms in time that did not take part in the choice; see `count_held_out`."""

    @property
    def alarms_after(self) -> int:
        """False alarms in the negatives with the new thresholds."""
        return int(self.counts[self._chosen])

    @property
    def found_after(self) -> int:
        """References that are found with the new thresholds."""
        return int(self.found[self._chosen])

    @property
    def _chosen(self) -> int:
        return int(np.flatnonzero(self.ons == self.choice.on)[0])


@dataclass(frozen=True)
class Tuning:
    """Everything that was tuned together."""

    wish: float
    """False alarms per hour over all labels."""
    hours: float
    """Of negatives."""
    labels: tuple[TunedLabel, ...]

    @property
    def held_out(self) -> int:
        """False alarms of all labels in time that did not take part in the choice."""
        return sum(one.held_out for one in self.labels)

    @property
    def limit(self) -> float:
        """What the rate per hour is below, with 95 % confidence, by what was held out."""
        return poisson_limit(self.held_out, CONFIDENCE) / self.hours

    @property
    def hours_needed(self) -> float:
        """Hours without any false alarm that would show the wish to be kept."""
        return poisson_limit(0, CONFIDENCE) / self.wish


def tune(
    trials: Sequence[Trial], hours: float, wish: float, *, lowest: float, equal: bool = False
) -> Tuning:
    """Choose `on` and `off` of all labels.

    Those with references share the wish so that they are found as often as can be; see `allot`.

    Args:
        trials: what was tried.
        hours: of negatives.
        wish: false alarms per hour of all labels together.
        lowest: no `on` falls below this.
        equal: give every label the same share of the wish.
    """
    shares = _share(trials, [one.scanned for one in trials], hours, wish, lowest, equal)
    by_fold = [
        _share(
            trials,
            [without_fold(one.scanned, hours, fold) for one in trials],
            hours * (FOLDS - 1) / FOLDS,
            wish,
            lowest,
            equal,
        )
        for fold in range(FOLDS)
    ]
    labels = tuple(
        _tune_label(trial, hours, share, held_out, lowest)
        for trial, share, *held_out in zip(trials, shares, *by_fold, strict=True)
    )
    return Tuning(wish, hours, labels)


def _share(
    trials: Sequence[Trial],
    scanned: Sequence[Sequence[Alarms]],
    hours: float,
    wish: float,
    lowest: float,
    equal: bool,
) -> list[float]:
    """Divide the wish, by these false alarms."""
    rates, found = list[NDArray[np.float64]](), list[NDArray[np.float64] | None]()
    for trial, alarms in zip(trials, scanned, strict=True):
        allowed = max(1, sum(one.on >= lowest for one in alarms))
        rates.append(expected_rates(alarms, hours)[:allowed])
        known = trial.references and not equal
        found.append(trial.found[:allowed] / trial.references if known else None)
    return allot(rates, found, wish)


def _tune_label(
    trial: Trial, hours: float, share: float, held_out: Sequence[float], lowest: float
) -> TunedLabel:
    choice = choose(trial.scanned, hours, share, lowest)
    return TunedLabel(
        label=trial.label,
        before=trial.before,
        after=next(one for one in trial.tried if one.on == choice.on),
        share=share,
        choice=choice,
        ons=np.array([one.on for one in trial.scanned]),
        counts=np.array([len(one.times) for one in trial.scanned]),
        expected=expected_rates(trial.scanned, hours),
        found=trial.found,
        references=trial.references,
        alarms_before=trial.alarms_before,
        found_before=trial.found_before,
        held_out=count_held_out(trial.scanned, hours, held_out, lowest),
    )
