"""What keeps events from beginning: the hours of a label, and other sounds."""

from collections.abc import Mapping
from dataclasses import dataclass

from ast_edge.detection.schedule import Schedule
from ast_edge.detection.tracker import Step, seconds_between
from ast_edge.model.label import Label
from ast_edge.model.label_settings import TrackerSettings


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

    Pure: time is what the steps say it is.
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
        suppressors = {label for rule in rules.values() for label in rule.suppress_while}
        self._rules = rules
        self._settings = {label: settings[label] for label in suppressors}
        known = {label.slug: label for label in suppressors}
        self._heard = {known[x.slug]: t for x, t in self._heard.items() if x.slug in known}

    @property
    def need_hours(self) -> bool:
        """Whether it matters what time of day it is."""
        return any(rule.active is not None for rule in self._rules.values())

    def feed(self, step: Step) -> frozenset[Label]:
        """Take the next step and return the labels whose events may not begin in it."""
        for label, settings in self._settings.items():
            score = float(step.probabilities[label.index])
            if score >= settings.on or (score >= settings.off and label in self._heard):
                self._heard[label] = step.offset
            elif seconds_between(self._heard.get(label, step.offset), step.offset) > settings.hold:
                del self._heard[label]
        return frozenset(
            label
            for label, rule in self._rules.items()
            if not self._heard.keys().isdisjoint(rule.suppress_while)
            or (rule.active is not None and not rule.active.is_active(step.now))
        )

    def set_settings(self, label: Label, settings: TrackerSettings) -> None:
        """Change when a label counts as heard, from the next step on."""
        if label in self._settings:
            self._settings[label] = settings

    def reset(self) -> None:
        """Forget what is heard: the stream is over."""
        self._heard.clear()
