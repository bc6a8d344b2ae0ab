"""Sounds that became no event, and the rule that held each back."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

from ast_edge.detection.rules import Rules
from ast_edge.detection.tracker import EventTracker, Step
from ast_edge.model.label import Label

Why = Literal["on", "duration", "cooldown", "hours", "suppressed", "disabled"]


@dataclass(frozen=True)
class Candidate:
    """What a label showed from where its score reached `off` to where it fell below again."""

    source: str
    label: Label
    onset: float
    """Unix seconds, as that of an event."""
    offset: float
    peak: float
    why: Why
    """It stayed below `on`; lasted less than the minimum duration; came too soon after an event,
    outside the active hours, or while another label was heard; or the label is not reported."""
    other: str = ""
    """The label that suppressed it."""


@dataclass
class _Open:
    onset: float
    offset: float
    peak: float
    why: Why = "on"
    other: str = ""


class Candidates:
    """Follow what the tracker of one source holds back.

    It sees the steps that the tracker sees, each after it. Memory: one record per label that is
    between `off` and an event.
    """

    def __init__(self, source: str, tracker: EventTracker, rules: Rules) -> None:
        """Begin with the next step; what is heard already is a candidate from there on."""
        self._source, self._tracker, self._rules = source, tracker, rules
        self._open: dict[Label, _Open] = {}

    def feed(self, step: Step, barred: Collection[Label]) -> list[Candidate]:
        """Take a step that the tracker has taken, and return the candidates that it ends."""
        shown = set()
        for label, score, obstacle in self._tracker.withheld(step, barred):
            shown.add(label)
            one = self._open.setdefault(label, _Open(step.onset, step.now, 0.0))
            one.offset, one.peak = max(step.now, step.offset), max(one.peak, score)
            if obstacle == "barred":
                one.why, one.other = self._rules.bar_of(label)
            elif obstacle != "on":  # once it has reached `on`, that is not the reason any more
                one.why, one.other = obstacle, ""
        gone = [label for label in self._open if label not in shown]
        return list(self._end(gone))

    def finish(self) -> list[Candidate]:
        """End all: the stream is over."""
        return list(self._end(list(self._open)))

    def _end(self, labels: Collection[Label]) -> Iterator[Candidate]:
        reported = set(self._tracker.reported)
        for label in labels:
            one = self._open.pop(label)
            if label not in reported:  # else it has become an event
                yield Candidate(
                    *(self._source, label, one.onset, one.offset, one.peak, one.why, one.other)
                )
