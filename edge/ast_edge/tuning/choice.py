"""The settings of one label that keep its share of a wish."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ast_edge.tuning.alarms import Alarms

TAIL_EVENTS = 20
"""From so many events on, the rate of fewer is estimated."""


@dataclass(frozen=True, eq=False)
class Options:
    """What there is to choose from; (tried,) each."""

    ons: NDArray[np.float64]
    rates: NDArray[np.float64]
    """False alarms per hour that are expected with each; infinite for what must not be."""
    worth: NDArray[np.float64] | None
    """What each is good for; None if that is not known, and a lower `on` is better."""

    def frontier(self) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        """Return rates that rise (options,) and the most that can be had with each."""
        order = np.argsort(self.rates, kind="stable")[: np.isfinite(self.rates).sum()]
        if self.worth is None:
            return self.rates[order], None
        return self.rates[order], np.maximum.accumulate(self.worth[order])


@dataclass(frozen=True)
class Choice:
    """What was chosen for one label."""

    option: int
    """Its place among what was tried."""
    kept: bool
    """Whether the share is kept with it; else it is what costs least."""
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
    counted = np.array([len(one.peaks) for one in scanned]) / hours
    base = next((one for one in scanned if len(one.peaks) >= TAIL_EVENTS), scanned[-1])
    if not len(base.peaks):
        return counted
    floor = _logit(base.on)
    excess = 1.0 + (_logit(base.peaks) - floor).clip(0).sum()
    logits = _logit(np.array([one.on for one in scanned]))
    thinning = (1 + (logits - floor).clip(0) / excess) ** -(1.0 + len(base.peaks))
    tail = len(base.peaks) / hours * thinning
    above = np.array([one.on > base.on for one in scanned])
    return np.where(above, np.maximum(counted, tail), counted)


def safe_rates(scanned: Sequence[Alarms], hours: float) -> NDArray[np.float64]:
    """Estimate them so that a lower `on` never seems to cost less: there events merge into few."""
    return np.maximum.accumulate(expected_rates(scanned, hours))


def choose(options: Options, share: float) -> Choice:
    """Choose what is worth most with no more than `share` false alarms per hour expected.

    Of what is worth the same it is the lowest `on`, and the first of those.
    """
    kept = np.flatnonzero(options.rates <= share)
    if not len(kept):
        best = int(np.lexsort((-options.ons, options.rates))[0])
        return Choice(best, False, float(options.rates[best]))
    worth = np.zeros(len(kept)) if options.worth is None else options.worth[kept]
    best = int(kept[np.lexsort((options.ons[kept], -worth))[0]])
    return Choice(best, True, float(options.rates[best]))


def without(alarms: Alarms, pieces: NDArray[np.bool_]) -> Alarms:
    """Leave out the false alarms of some pieces."""
    kept = ~pieces[alarms.pieces]
    return Alarms(alarms.on, alarms.pieces[kept], alarms.peaks[kept])


def _logit(probability: NDArray[np.float64] | float) -> NDArray[np.float64]:
    clipped = np.clip(probability, 1e-6, 1 - 1e-6)
    return np.asarray(np.log(clipped / (1 - clipped)))
