"""Following commands: from a message to the pipelines, and back as the retained setting."""

import json
import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence

from ast_edge.commands import Command, CommandParser, CommandRefused
from ast_edge.events import Event, Label
from ast_edge.live_settings import LiveSettings
from ast_edge.message import Message
from ast_edge.payload import SCHEMA
from ast_edge.pipeline import Pipeline
from ast_edge.topics import Topics

log = logging.getLogger(__name__)

RETAINED_SECONDS = 5.0
"""What arrives so soon after connecting may be a retained message: no restart is done for it, or a
daemon would restart for ever."""

Action = Callable[[], list[Event]]
"""Something to do in the daemon's thread; the events are published."""


class Control:
    """Changes how sources are listened to, as the broker's clients wish.

    An extension of MqttSink. Every change is kept (`LiveSettings`) before it is acknowledged by the
    retained setting; what cannot be followed is answered on `Topics.rejected`.
    """

    def __init__(
        self,
        topics: Topics,
        settings: LiveSettings,
        pipelines: Mapping[str, Pipeline],
        labels: Collection[Label],
        *,
        submit: Callable[[Action], None],
        restart: Callable[[], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Apply what was kept, through `submit`, which runs actions in the daemon's thread."""
        self._topics, self._settings, self._pipelines = topics, settings, pipelines
        self._labels, self._submit, self._restart = list(labels), submit, restart
        self._clock = clock
        self._parser = CommandParser(topics, pipelines, {label.slug: label for label in labels})
        self._greeted = clock()
        self._timers: dict[str, threading.Timer] = {}
        for source in pipelines:
            self._apply(source)

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """All commands of the node."""
        return (self._topics.commands,)

    def greet(self) -> list[Message]:
        """Return every setting as it is."""
        self._greeted = self._clock()
        return list(self._settings.messages(self._topics, self._labels, self._clock()))

    def heard(self, topic: str, payload: bytes) -> list[Message]:
        """Follow a command; return it and what it has changed as settings, or why it is refused."""
        before = set(self._all())
        try:
            command = self._parser.parse(topic, payload)
            self._follow(command)
        except CommandRefused as exc:
            return self._refuse(topic, str(exc))
        log.info("command: %s", _said(command))
        own = self._topics.setting(command.source, command.name, command.label)
        return [told for told in self._all() if told not in before or told.topic == own]

    def close(self) -> None:
        """Forget the ends of snoozes."""
        for timer in self._timers.values():
            timer.cancel()

    def _all(self) -> Sequence[Message]:
        return list(self._settings.messages(self._topics, self._labels, self._clock()))

    def _follow(self, command: Command) -> None:
        if command.name != "restart":
            self._settings.change(command, self._clock())
            self._apply(command.source)
        elif self._clock() - self._greeted < RETAINED_SECONDS:
            raise CommandRefused("restart: came right after connecting; is the message retained?")
        else:
            self._restart()

    def _refuse(self, topic: str, reason: str) -> list[Message]:
        log.warning("command refused: %s", reason)
        source = topic.removeprefix(self._topics.root + "/").split("/")[0]
        if source not in self._pipelines:
            return []
        payload = json.dumps({"schema": SCHEMA, "topic": topic[:200], "reason": reason})
        return [Message(self._topics.rejected(source), payload)]

    def _apply(self, source: str) -> None:
        """Let the daemon listen to a source as the settings are now, and again after a snooze."""
        self._submit(lambda: self._listen(source))
        if source in self._timers:
            self._timers.pop(source).cancel()
        left = self._settings.of(source).snoozed_until - self._clock()
        if left > 0:
            timer = threading.Timer(left, self._submit, (lambda: self._listen(source),))
            timer.daemon = True
            timer.start()
            self._timers[source] = timer

    def _listen(self, source: str) -> list[Event]:
        pipeline, changes, now = self._pipelines[source], self._settings.of(source), self._clock()
        for label in self._labels:
            pipeline.set_settings(label, self._settings.settings(source, label))
        return pipeline.set_enabled([x for x in self._labels if changes.hears(x.slug, now)])


def _said(command: Command) -> str:
    of = f" of {command.label.name}" if command.label else ""
    return f"{command.source}: {command.name}{of} = {command.value:g}"
