"""What keeps events from beginning: the hours of a label, and other sounds."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

from ast_edge.detection.lookout import Lookout
from ast_edge.detection.schedule import Schedule
from ast_edge.detection.tracker import Step, seconds_between
from ast_edge.model.label import Label
from ast_edge.model.label_settings import TrackerSettings

Bar = TypeVar("Bar", bound=Hashable)


@dataclass(frozen=True)
class Rule:
    """When events of one label may begin; one that has begun goes on to its own end."""

    active: Schedule | None = None
    """Only in these hours; always if there are none."""
    suppress_while: tuple[Label, ...] = ()
    """Not while one of these is heard.

    That is from where its probability reaches `on` to where it has been below `off` for longer than
    `hold`, whether or not its own events are reported.
    """


class Rules:
    """Follow the rules of one source's labels.

    Pure: time is what the steps say it is. A step costs by the sounds that suppress and are heard
    and by the different hours, not by the labels that have a rule.
    """

    def __init__(
        self, rules: Mapping[Label, Rule], settings: Mapping[Label, TrackerSettings]
    ) -> None:
        """Take the settings of all labels, also of those that only suppress others."""
        self._heard: dict[Label, float] = {}
        """Offset of the newest step at or above `off`, of the suppressors that are heard now."""
        self.follow(rules, settings)

    def follow(
        self, rules: Mapping[Label, Rule], settings: Mapping[Label, TrackerSettings]
    ) -> None:
        """Take other rules from the next step on; what is heard now is not forgotten."""
        self._suppressed = _by(rules, lambda rule: rule.suppress_while)
        self._active = _by(rules, lambda rule: (rule.active,) if rule.active else ())
        self._settings = {label: settings[label] for label in self._suppressed}
        self._suppressors = list(self._settings)
        self._places = {label: place for place, label in enumerate(self._suppressors)}
        self._lookout = Lookout({label: one.off for label, one in self._settings.items()})
        known = {label.slug: label for label in self._suppressors}
        self._heard = {known[x.slug]: t for x, t in self._heard.items() if x.slug in known}

    @property
    def need_hours(self) -> bool:
        """Whether it matters what time of day it is."""
        return bool(self._active)

    def feed(self, step: Step) -> frozenset[Label]:
        """Take the next step and return the labels whose events may not begin in it."""
        shown = [self._suppressors[place] for place in self._lookout.shown(step.probabilities)]
        for label in {*shown, *self._heard}:
            score, settings = float(step.probabilities[label.index]), self._settings[label]
            if score >= settings.on or (score >= settings.off and label in self._heard):
                self._heard[label] = step.offset
            elif seconds_between(self._heard.get(label, step.offset), step.offset) > settings.hold:
                del self._heard[label]
        active = self._active.items()
        return frozenset().union(
            *(self._suppressed[label] for label in self._heard),
            *(labels for hours, labels in active if not hours.is_active(step.now)),
        )

    def bar_of(self, label: Label) -> tuple[Literal["hours", "suppressed"], str]:
        """Say what bars a label that the newest step has barred, and the name of what is heard."""
        for heard in self._heard:
            if label in self._suppressed[heard]:
                return "suppressed", heard.name
        return "hours", ""

    def set_settings(self, label: Label, settings: TrackerSettings) -> None:
        """Change when a label counts as heard, from the next step on."""
        if label in self._settings:
            self._settings[label] = settings
            self._lookout.set_off(self._places[label], settings.off)

    def reset(self) -> None:
        """Forget what is heard: the stream is over."""
        self._heard.clear()


def _by(
    rules: Mapping[Label, Rule], bars: Callable[[Rule], Iterable[Bar]]
) -> dict[Bar, frozenset[Label]]:
    """Return what bars labels, each with all that it bars: many have the same."""
    found: dict[Bar, set[Label]] = {}
    for label, rule in rules.items():
        for bar in bars(rule):
            found.setdefault(bar, set()).add(label)
    return {bar: frozenset(labels) for bar, labels in found.items()}
