"""The polyphonic sound detection score, over all thresholds at once.

Sources: Bilen et al. 2020, "A Framework for the Robust Evaluation of Sound Event Detection"; Ebbers
et al. 2022, "Threshold-Independent Evaluation of Sound Event Detection Scores". As sed_scores_eval.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ast_edge.evaluation.threshold_sweep import Changes, Criteria


@dataclass(frozen=True)
class PsdsScenario:
    """What counts as a detection, and what spoils the score."""

    criteria: Criteria
    alpha_ct: float
    """Weight of cross triggers: false alarms on the sounds of other labels."""
    alpha_st: float
    """Weight of the spread between labels."""
    max_efpr: float = 100.0
    """Effective false positives per hour up to which the area is taken."""


SCENARIOS = {
    "psds1": PsdsScenario(Criteria(dtc=0.7, gtc=0.7, cttc=None), alpha_ct=0.0, alpha_st=1.0),
    "psds2": PsdsScenario(Criteria(dtc=0.1, gtc=0.1, cttc=0.3), alpha_ct=0.5, alpha_st=1.0),
}
"""Those of DCASE task 4: the first asks for exact times, the second for the right label."""


@dataclass(frozen=True, eq=False)
class Roc:
    """True positive ratio against effective false positives per hour, both rising: a staircase."""

    efpr: NDArray[np.float64]
    """(points,), from 0 on, each once."""
    tpr: NDArray[np.float64]
    """(points,)."""

    def at(self, efpr: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the ratios that are reached with so many false positives."""
        position = np.searchsorted(self.efpr, efpr, side="right") - 1
        return np.where(position >= 0, self.tpr[position.clip(0)], 0.0)

    def area(self, up_to: float) -> float:
        """Return the mean ratio from 0 to `up_to` false positives per hour."""
        widths = np.diff(np.append(self.efpr, up_to))
        return float((self.tpr * widths).sum() / up_to)


def make_roc(
    changes: Changes,
    references: int,
    seconds_of_others: Sequence[float],
    hours: float,
    scenario: PsdsScenario,
) -> Roc:
    """Draw the curve of one label over all recordings.

    Args:
        changes: of all recordings together.
        references: number of events of the label.
        seconds_of_others: total length of the events of every other label, in order.
        hours: of all recordings.
        scenario: criteria and weights.
    """
    hits, false, crossed = changes.by_threshold()
    tpr, efpr = hits / max(references, 1), false / hours
    if scenario.alpha_ct and seconds_of_others:
        hours_of_others = np.maximum(seconds_of_others, 1e-12) / 3600
        efpr = efpr + scenario.alpha_ct * (crossed / hours_of_others).mean(axis=1)
    order = np.lexsort((tpr, efpr))
    efpr, tpr = efpr[order], np.maximum.accumulate(tpr[order])
    last = np.append(np.diff(efpr) > 0, True) & (efpr <= scenario.max_efpr)
    return Roc(efpr[last], tpr[last])


def psds(rocs: Sequence[Roc], scenario: PsdsScenario) -> float:
    """Make one score, 0 to 1, of the curves of all labels.

    Raises:
        ValueError: if there are none.
    """
    if not rocs:
        raise ValueError("expected the curve of one label or more")
    efpr = np.unique(np.concatenate([roc.efpr for roc in rocs]))
    ratios = np.stack([roc.at(efpr) for roc in rocs])
    effective = ratios.mean(axis=0) - scenario.alpha_st * ratios.std(axis=0)
    return Roc(efpr, np.maximum(effective, 0)).area(scenario.max_efpr)
