"""How well scores of steps tell of events, by one threshold that all labels share.

A threshold of each label's own, chosen by the same scenes, would flatter a model the more, the more
labels it has; one for all is chosen by all events together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ast_edge.evaluation.counts import Counts, macro_f1, micro
from ast_edge.evaluation.curve import Curve
from ast_edge.evaluation.event_metrics import COLLARS, count_events
from ast_edge.evaluation.false_alarms import find_false_alarms, is_near
from ast_edge.evaluation.psds import SCENARIOS, make_roc, psds
from ast_edge.evaluation.span import Span, join_touching
from ast_edge.evaluation.threshold_sweep import join, sweep
from ast_edge.model.label import Label
from ast_edge.model.label_settings import TrackerSettings
from ast_edge.tuning.alarms import find_events

COLLAR = COLLARS["event_500ms"]
THRESHOLDS = (0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.45, 0.4, 0.35, 0.3, 0.25, 0.2, 0.15, 0.1, 0.05, 0.02)
"""Values of `on` that are tried, from the highest on."""
OFF_SHARE = 0.6
"""`off` as a share of `on`."""
RECALL = 0.5
"""Share of the events with which false alarms are told."""
TOO_MANY = 10
"""False alarms for every event, beyond which no lower threshold is tried."""


@dataclass(frozen=True, eq=False)
class Scene:
    """A recording: the scores of its steps, and where the labels sound."""

    curve: Curve
    seconds: float
    references: Mapping[int, Sequence[Span]]
    """By the label's column, each by onset."""


@dataclass(frozen=True)
class EventFigures:
    """The figures of all labels together."""

    threshold: float
    """That with the best micro F1."""
    micro_f1: float
    """Of events: onset within 0.5 s, offset within 0.5 s or half of the length."""
    macro_f1: float
    """With the same threshold; the mean over the labels that sound."""
    psds1: float
    false_alarms: float | None
    """Per hour of all labels together, with the highest threshold by which `RECALL` of the events
    are found; None if none does that."""

    def row(self) -> dict[str, float | None]:
        """Return the figures as columns of a run's table."""
        alarms = self.false_alarms
        return {
            "events": round(self.micro_f1, 5),
            "events_macro": round(self.macro_f1, 5),
            "psds1": round(self.psds1, 5),
            "false_alarms": None if alarms is None else round(alarms, 2),
        }


@dataclass(frozen=True)
class _Trial:
    """What one threshold does."""

    counts: tuple[Counts, ...]
    """(labels,)."""
    found: int
    """Events that something was reported of."""
    false_alarms: int


def event_figures(scenes: Sequence[Scene]) -> EventFigures:
    """Work out the figures of scenes in which something sounds."""
    total = sum(len(spans) for scene in scenes for spans in scene.references.values())
    hours = sum(scene.seconds for scene in scenes) / 3600
    best, best_f1, false_alarms = (0.0, _Trial((), 0, 0)), -1.0, None
    for threshold in THRESHOLDS:
        trial = _try(scenes, threshold)
        f1 = micro(trial.counts).f1 or 0.0
        if f1 > best_f1:
            best, best_f1 = (threshold, trial), f1
        if false_alarms is None and trial.found >= RECALL * total:
            false_alarms = trial.false_alarms / hours
        if trial.false_alarms > TOO_MANY * total:
            break
    return EventFigures(
        threshold=best[0],
        micro_f1=best_f1,
        macro_f1=macro_f1(best[1].counts) or 0.0,
        psds1=_psds1(scenes, hours),
        false_alarms=false_alarms,
    )


def _try(scenes: Sequence[Scene], threshold: float) -> _Trial:
    settings = TrackerSettings(on=threshold, off=round(OFF_SHARE * threshold, 3))
    counts = [Counts()] * scenes[0].curve.scores.shape[1]
    found = false_alarms = 0
    for scene in scenes:
        tops = scene.curve.scores.max(axis=0, initial=0)
        for column in {*np.flatnonzero(tops >= threshold).tolist(), *scene.references}:
            events = find_events(scene.curve, Label(column, "", ""), settings)
            heard = [Span(event.onset, event.offset) for event in events]
            spans = scene.references.get(column, ())
            counts[column] += count_events(spans, heard, COLLAR)
            found += sum(any(is_near(span, one) for one in heard) for span in spans)
            false_alarms += len(find_false_alarms(spans, heard))
    return _Trial(tuple(counts), found, false_alarms)


def _psds1(scenes: Sequence[Scene], hours: float) -> float:
    scenario, rocs = SCENARIOS["psds1"], []
    for column in sorted({column for scene in scenes for column in scene.references}):
        truths = [join_touching(scene.references.get(column, ())) for scene in scenes]
        changes = join(
            [
                sweep(scene.curve, column, truth, [], scenario.criteria)
                for scene, truth in zip(scenes, truths, strict=True)
            ]
        )
        rocs.append(make_roc(changes, sum(map(len, truths)), [], hours, scenario))
    return psds(rocs, scenario)
