"""What follows the engine, written plainly: every label is asked in turn, at every step.

The runtime looks only at labels that a step shows; it must give what this gives, to the bit.
"""

import math
from dataclasses import replace

import numpy as np

from ast_edge.detection.event import Event
from ast_edge.detection.pipeline import Pipeline
from ast_edge.detection.tracker import UPDATE_SECONDS, seconds_between


def extend(probabilities, groups):
    """Append the groups' probabilities (groups,) to those of the labels (labels,)."""
    combined = [g.combine([probabilities[m.index] for m in g.members]) for g in groups]
    return np.array([*probabilities, *combined], np.float32)


class PlainTracker:
    """Does what `EventTracker` does."""

    def __init__(self, source, settings, new_id, bundle=""):
        self.source, self.new_id, self.bundle = source, new_id, bundle
        self.settings, self.enabled = dict(settings), list(settings)
        self.running, self.rising, self.ended = {}, {}, {}

    def feed(self, step, barred=()):
        events = []
        for label, settings in self.settings.items():
            score = float(step.probabilities[label.index])
            score = 0.0 if math.isnan(score) else score
            if label not in self.running:
                since = seconds_between(self.ended.get(label.slug, -math.inf), step.onset)
                cools_down = 0 <= since < settings.cooldown
                is_barred = label in barred or label not in self.enabled
                if score < settings.off or is_barred or cools_down:
                    self.rising.pop(label, None)
                    continue
                first = self.rising.setdefault(label, step)
                if score < settings.on:
                    continue
                del self.rising[label]
                self.running[label] = {"first": first, "last": first, "peak": score, "id": None}
            events += self.advance(label, settings, self.running[label], step, score)
        return events

    def advance(self, label, settings, event, step, score):
        event["score"] = score
        if score >= settings.off:
            event["last"], event["peak"] = step, max(event["peak"], score)
        elif seconds_between(event["last"].offset, step.offset) > settings.hold:
            return self.end(label)
        duration = seconds_between(event["first"].onset, self.offset(event))
        if event["id"] is None and duration >= settings.min_duration:
            event |= {"id": self.new_id(), "told": duration}
            return [self.said(label, event, "start")]
        if event["id"] and seconds_between(event["told"], duration) >= UPDATE_SECONDS:
            event["told"] = duration
            return [self.said(label, event, "update")]
        return []

    def end(self, label):
        event = self.running.pop(label)
        if event["id"] is None:
            return []
        self.ended[label.slug] = self.offset(event)
        return [self.said(label, event, "end")]

    def offset(self, event):
        return max(event["first"].now, event["last"].offset)

    def said(self, label, event, phase):
        span = event["first"].onset, self.offset(event)
        return Event(
            *(event["id"], phase, self.source, label, *span, event["score"], event["peak"]),
            self.bundle,
        )

    @property
    def is_running(self):
        return bool(self.running)

    @property
    def reported(self):
        return [label for label, event in self.running.items() if event["id"]]

    def set_settings(self, label, settings):
        self.settings[label] = settings

    def set_enabled(self, labels):
        self.enabled = list(labels)
        return [e for x in list(self.running) if x not in self.enabled for e in self.end(x)]

    def follow(self, settings):
        known = {label.slug: label for label in settings}
        ended = [e for x in list(self.running) if x.slug not in known for e in self.end(x)]
        self.running = {known[x.slug]: event for x, event in self.running.items()}
        self.rising = {known[x.slug]: s for x, s in self.rising.items() if x.slug in known}
        self.ended = {slug: offset for slug, offset in self.ended.items() if slug in known}
        self.settings, self.enabled = dict(settings), list(settings)
        return ended

    def begin(self, started_at):
        self.ended = {slug: min(offset, started_at) for slug, offset in self.ended.items()}

    def finish(self):
        self.rising.clear()
        return [event for label in list(self.running) for event in self.end(label)]

    def reset(self):
        for memory in (self.running, self.rising, self.ended):
            memory.clear()


class PlainRules:
    """Does what `Rules` does."""

    def __init__(self, rules, settings):
        self.heard = {}
        self.follow(rules, settings)

    def follow(self, rules, settings):
        self.rules, self.settings = dict(rules), dict(settings)
        suppressors = {x.slug for rule in rules.values() for x in rule.suppress_while}
        self.heard = {slug: t for slug, t in self.heard.items() if slug in suppressors}

    @property
    def need_hours(self):
        return any(rule.active for rule in self.rules.values())

    def feed(self, step):
        for label in {x for rule in self.rules.values() for x in rule.suppress_while}:
            score, settings = float(step.probabilities[label.index]), self.settings[label]
            heard = self.heard.get(label.slug)
            if score >= settings.on or (score >= settings.off and heard is not None):
                self.heard[label.slug] = step.offset
            elif heard is not None and seconds_between(heard, step.offset) > settings.hold:
                del self.heard[label.slug]
        return {label for label, rule in self.rules.items() if self.bars(rule, step)}

    def bars(self, rule, step):
        suppressed = any(label.slug in self.heard for label in rule.suppress_while)
        return suppressed or (rule.active is not None and not rule.active.is_active(step.now))

    def set_settings(self, label, settings):
        self.settings[label] = settings

    def reset(self):
        self.heard.clear()


class PlainPipeline(Pipeline):
    """A pipeline whose groups, rules and tracker are plain."""

    def __init__(self, source, hearing, new_id):
        super().__init__(source, hearing, new_id)
        bundle, settings = hearing.bundle, hearing.settings
        self._columns = len(bundle.labels)
        self._rules = PlainRules(hearing.rules, {**bundle.settings, **settings})
        self._tracker = PlainTracker(source, settings, new_id, bundle.name)

    def _track(self, steps):
        events = []
        for step in steps:
            own = step.probabilities[: self._columns]
            plain = replace(step, probabilities=extend(own, self._steps._groups))
            events += self._tracker.feed(plain, self._rules.feed(plain))
        return events
