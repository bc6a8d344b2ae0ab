"""Settings that were changed while the daemon ran, kept for its next start."""

import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from ast_edge.base.clock import SINCE_BOOT
from ast_edge.base.files import write_files
from ast_edge.base.times import iso8601
from ast_edge.detection.event import Event
from ast_edge.detection.pipeline import Pipeline
from ast_edge.detection.snooze import Snooze, begin_snooze
from ast_edge.model.label import Label
from ast_edge.model.label_settings import TrackerSettings
from ast_edge.mqtt.commands import Command, CommandRefused
from ast_edge.mqtt.message import Message
from ast_edge.mqtt.topics import Topics

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LabelChanges:
    """What differs from the configuration for one label at one source."""

    enabled: bool = True
    on: float | None = None
    off: float | None = None

    def apply(self, settings: TrackerSettings) -> TrackerSettings:
        """Return the settings with the changes; the thresholds of the other kind follow.

        Raises:
            ValueError: if `off` would be above `on`.
        """
        on = settings.on if self.on is None else self.on
        off = min(settings.off, on) if self.off is None else self.off
        return replace(settings, on=on, off=off)


_NO_CHANGES = LabelChanges()


@dataclass(frozen=True)
class SourceChanges:
    """What differs from the configuration for one source."""

    enabled: bool = True
    snooze: Snooze | None = None
    """The source counts as disabled until it is over."""
    labels: Mapping[str, LabelChanges] = field(default_factory=dict)
    """By slug."""

    def hears(self, slug: str, now: float) -> bool:
        """Tell whether a label is reported at this time (SINCE_BOOT)."""
        return self.enabled and not self.seconds_left(now) and self.label(slug).enabled

    def label(self, slug: str) -> LabelChanges:
        """Return what differs for a label."""
        return self.labels.get(slug, _NO_CHANGES)

    def seconds_left(self, now: float) -> float:
        """Return how long the snooze goes on; 0 when it is over."""
        return self.snooze.left(now) if self.snooze else 0.0

    def minutes_left(self, now: float) -> int:
        """Return how long the snooze goes on, in whole minutes begun; 0 only when it is over."""
        return self.snooze.minutes_left(now) if self.snooze else 0

    def pause(self, now: float, wall: float) -> str:
        """Say why nothing of the source is reported now, by both clocks; empty if it is."""
        if not self.enabled:
            return "switched off by a command"
        if left := self.seconds_left(now):
            # To the second: the two clocks are not read at one time.
            return f"snoozed until {iso8601(round(wall + left))}"
        return ""


class LiveSettings:
    """The changes of all sources; every change is in the file before it is acknowledged.

    What the file says of sources and labels that are configured no more is forgotten. Times are
    seconds of SINCE_BOOT: a wall clock that is set makes no snooze longer.
    """

    def __init__(
        self,
        path: Path | None,
        settings: Mapping[str, Mapping[Label, TrackerSettings]],
        *,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = SINCE_BOOT,
    ) -> None:
        """Read the file, if there is one; with None nothing is kept.

        `settings` are those of the configuration, of the labels of each source.
        """
        self._path, self._wall, self._steady = path, wall, steady
        self._labels = {source: list(labels) for source, labels in settings.items()}
        self._settings = {
            source: {label.slug: one for label, one in labels.items()}
            for source, labels in settings.items()
        }
        known = _read(path) if path else {}
        self._sources = {n: self._usable(n, known.get(n, SourceChanges())) for n in settings}

    def for_others(
        self, path: Path | None, settings: Mapping[str, Mapping[Label, TrackerSettings]]
    ) -> "LiveSettings":
        """Return what remains of the changes with another configuration."""
        if path != self._path:
            return LiveSettings(path, settings, wall=self._wall, steady=self._steady)
        others = LiveSettings(None, settings, wall=self._wall, steady=self._steady)
        others._path = path
        for source in settings:
            if source in self._sources:
                others._sources[source] = others._fitting(source, self._sources[source])
        return others

    def knows(self, source: str, label: Label | None) -> bool:
        """Tell whether a source is configured, and reports a label if one is given."""
        labels = self._settings.get(source)
        return labels is not None and (label is None or label.slug in labels)

    def minutes_left(self, now: float) -> dict[str, int]:
        """Return how long each source's snooze goes on, in whole minutes begun."""
        return {name: source.minutes_left(now) for name, source in self._sources.items()}

    def of(self, source: str) -> SourceChanges:
        """Return what differs for a source."""
        return self._sources[source]

    def settings(self, source: str, label: Label) -> TrackerSettings:
        """Return how a label becomes events at a source now."""
        changes = self._sources[source].label(label.slug)
        configured = self._settings[source][label.slug]
        return configured if changes is _NO_CHANGES else changes.apply(configured)

    def apply(self, pipeline: Pipeline, now: float) -> list[Event]:
        """Let a pipeline follow its source's labels as they are at this time.

        The ends of the events that are reported no more are returned.
        """
        changes, labels = self._sources[pipeline.source], self._labels[pipeline.source]
        for label in labels:
            pipeline.set_settings(label, self.settings(pipeline.source, label))
        return pipeline.set_enabled([x for x in labels if changes.hears(x.slug, now)])

    def change(self, command: Command, now: float) -> None:
        """Follow a command, at this time.

        Raises:
            CommandRefused: if the thresholds do not fit together, or the file cannot be written.
        """
        changed = _changed(self._sources[command.source], command, now, self._wall)
        if command.label:
            slug = command.label.slug
            try:
                changed.labels[slug].apply(self._settings[command.source][slug])
            except ValueError as exc:
                raise CommandRefused(f"{command.name}: {exc}") from exc
        sources = self._sources | {command.source: changed}
        if self._path:
            try:
                _write(self._path, sources)
            except OSError as exc:
                raise CommandRefused(f"{self._path}: cannot be written: {exc.strerror}") from exc
        self._sources = sources

    def messages(
        self, topics: Topics, now: float, labels: Collection[Label] | None = None
    ) -> Iterator[Message]:
        """Yield the settings of all sources, and of their labels or some, as they are, retained."""
        for name, source in self._sources.items():
            yield _setting(topics.setting(name, "enabled"), source.enabled)
            minutes = str(source.minutes_left(now))
            yield Message(topics.setting(name, "snooze"), minutes, retain=True)
            own = self._labels[name]
            for label in own if labels is None else [x for x in labels if x in own]:
                enabled = source.label(label.slug).enabled
                yield _setting(topics.setting(name, "enabled", label), enabled)
                tracked = self.settings(name, label)
                for key, value in (("on", tracked.on), ("off", tracked.off)):
                    yield Message(topics.setting(name, key, label), f"{value:g}", retain=True)

    def _usable(self, source: str, changes: SourceChanges) -> SourceChanges:
        """Take what was kept by a program that ended, as far as it fits."""
        snooze = changes.snooze and changes.snooze.resumed(self._steady, self._wall)
        return self._fitting(source, replace(changes, snooze=snooze))

    def _fitting(self, source: str, changes: SourceChanges) -> SourceChanges:
        """Leave out labels that are not configured, and thresholds that no longer fit."""
        labels, configured = {}, self._settings[source]
        for slug, label in changes.labels.items():
            if slug in configured:
                try:
                    label.apply(configured[slug])
                except ValueError:
                    label = replace(label, on=None, off=None)
                labels[slug] = label
        return replace(changes, labels=labels)


def _changed(
    changes: SourceChanges, command: Command, now: float, wall: Callable[[], float]
) -> SourceChanges:
    if command.label:
        label = changes.label(command.label.slug)
        if command.name == "enabled":
            label = replace(label, enabled=bool(command.value))
        elif command.name == "on":
            label = replace(label, on=command.value)
        else:
            label = replace(label, off=command.value)
        return replace(changes, labels={**changes.labels, command.label.slug: label})
    if command.name == "enabled":
        return replace(changes, enabled=bool(command.value))
    seconds = 60 * command.value
    return replace(changes, snooze=begin_snooze(seconds, now, wall) if seconds else None)


def _setting(topic: str, on: bool) -> Message:
    return Message(topic, "ON" if on else "OFF", retain=True)


def _read(path: Path) -> dict[str, SourceChanges]:
    """Read the file; a damaged one is said, and everything is as configured."""
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as exc:
        log.warning("%s: cannot be read: %s; all settings are as configured", path, exc.strerror)
        return {}
    try:
        return _adapter().validate_json(text)
    except ValidationError:
        log.warning("%s: is damaged; all settings are as configured", path)
        return {}


@cache
def _adapter() -> TypeAdapter[dict[str, SourceChanges]]:
    """Return what reads and writes the file."""
    return TypeAdapter(dict[str, SourceChanges])


def _write(path: Path, sources: Mapping[str, SourceChanges]) -> None:
    # A command waits for it, and hundreds of labels may differ: `json` takes ten times as long.
    text = _adapter().dump_json(dict(sources), indent=1)
    write_files({path: text + b"\n"})
