"""The threshold of one label that keeps its share of a wish."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ast_edge.tuning.alarms import Alarms

TAIL_EVENTS = 20
"""From so many events on, the rate of fewer is estimated."""
FOLDS = 5


@dataclass(frozen=True)
class Choice:
    """What was chosen for one label."""

    on: float
    kept: bool
    """Whether the share is kept with it; else it is the highest that was tried."""
    rate: float
    """False alarms per hour that are expected; see `expected_rates`."""


def expected_rates(scanned: Sequence[Alarms], hours: float) -> NDArray[np.float64]:
    """Estimate the false alarms per hour for each value of `on`, which fall.

    Where there were `TAIL_EVENTS` or more, it is their number. Above that, few or none say little:
    there the peaks of those events are taken to thin out exponentially over the logit of the
    threshold, how fast being as uncertain as so few events leave it (posterior predictive, with
    one more event of excess 1 as prior), and the higher of both figures counts.

    Source: peaks over a threshold, Coles 2001, "Statistical Modeling of Extreme Values".
    """
    counted = np.array([len(one.times) for one in scanned]) / hours
    base = next((one for one in scanned if len(one.times) >= TAIL_EVENTS), scanned[-1])
    if not len(base.times):
        return counted
    floor = _logit(base.on)
    excess = 1.0 + (_logit(base.peaks) - floor).clip(0).sum()
    logits = _logit(np.array([one.on for one in scanned]))
    thinning = (1 + (logits - floor).clip(0) / excess) ** -(1.0 + len(base.peaks))
    tail = len(base.times) / hours * thinning
    above = np.array([one.on > base.on for one in scanned])
    return np.where(above, np.maximum(counted, tail), counted)


def choose(scanned: Sequence[Alarms], hours: float, share: float, lowest: float = 0.0) -> Choice:
    """Choose the lowest `on` with which no more than `share` false alarms per hour are expected.

    All values above it keep the share too: at low thresholds events merge, and are fewer again.
    What was tried below `lowest` helps to estimate, but is not chosen.
    """
    rates = expected_rates(scanned, hours)
    out = (rates > share) | np.array([one.on < lowest for one in scanned])
    kept = np.flatnonzero(np.append(out, True))[0]  # how many do, from the highest on
    best = max(0, int(kept) - 1)
    return Choice(scanned[best].on, bool(kept), float(rates[best]))


def count_held_out(
    scanned: Sequence[Alarms], hours: float, shares: Sequence[float], lowest: float = 0.0
) -> int:
    """Count the false alarms in time that did not take part in the choice.

    The time is cut into fifths. For each, the threshold is chosen by the four others, with the
    share that the label has by those: what is counted on the time by which one has chosen is
    always as good as was wished.
    """
    count = 0
    for fold, share in enumerate(shares):
        start, end = _fold(hours, fold)
        others = without_fold(scanned, hours, fold)
        chosen = choose(others, hours * (FOLDS - 1) / FOLDS, share, lowest).on
        used = next(one for one in scanned if one.on == chosen)
        count += int(((used.times >= start) & (used.times < end)).sum())
    return count


def without_fold(scanned: Sequence[Alarms], hours: float, fold: int) -> list[Alarms]:
    """Leave out the false alarms of one of the `FOLDS` parts of the time."""
    start, end = _fold(hours, fold)
    return [_select(one, (one.times < start) | (one.times >= end)) for one in scanned]


def _fold(hours: float, fold: int) -> tuple[float, float]:
    return hours * fold / FOLDS, hours * (fold + 1) / FOLDS


def _select(alarms: Alarms, these: NDArray[np.bool_]) -> Alarms:
    return Alarms(alarms.on, alarms.times[these], alarms.peaks[these])


def _logit(probability: NDArray[np.float64] | float) -> NDArray[np.float64]:
    clipped = np.clip(probability, 1e-6, 1 - 1e-6)
    return np.asarray(np.log(clipped / (1 - clipped)))
