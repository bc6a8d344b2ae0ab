"""Following commands: from a message to the pipelines, and back as the retained setting."""

import json
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping

from ast_edge.app.settings import LiveSettings
from ast_edge.base.clock import SINCE_BOOT
from ast_edge.base.errors import AstError
from ast_edge.base.log_format import EVERY_TIME
from ast_edge.detection.event import Event
from ast_edge.detection.pipeline import Pipeline
from ast_edge.model.label import Label
from ast_edge.mqtt.commands import Command, CommandParser, CommandRefused
from ast_edge.mqtt.message import Message
from ast_edge.mqtt.source_status import NodeStatus
from ast_edge.mqtt.topics import Topics
from ast_edge.outputs.payload import SCHEMA

log = logging.getLogger(__name__)

Action = Callable[[], list[Event]]
"""Something to do in the daemon's thread; the events are published."""
Publish = Callable[[Callable[[], Iterable[Message]]], None]
"""Runs what makes messages in the connection's thread, and sends them."""


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
        labels: Mapping[str, Collection[Label]],
        status: NodeStatus,
        *,
        publish: Publish,
        submit: Callable[[Action], None],
        restart: Callable[[], None],
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = SINCE_BOOT,
    ) -> None:
        """Apply what was kept, through `submit`, which runs actions in the daemon's thread.

        `labels` are those that are reported of each source.
        `restart` raises an AstError where the program could not begin anew.
        """
        self._topics, self._settings, self._pipelines = topics, settings, pipelines
        self._status = status
        self._publish, self._submit, self._restart = publish, submit, restart
        self._clock, self._steady = clock, steady
        known = {source: {x.slug: x for x in reported} for source, reported in labels.items()}
        self._parser = CommandParser(topics, known)
        self._timers: dict[str, threading.Timer] = {}
        self._closed = False
        for source in pipelines:
            self._apply(source)

    def start(self) -> list[Message]:
        """Follow the snoozes that were kept, with `publish`; to be called in its thread."""
        for source in self._pipelines:
            self._follow_snooze(source)
        return []

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """All commands of the node."""
        return (self._topics.commands,)

    def greet(self) -> list[Message]:
        """Return every setting as it is."""
        return self._told()

    def heard(self, topic: str, payload: bytes, *, retained: bool = False) -> list[Message]:
        """Follow a command; return it and what it has changed as settings, or why it is refused.

        A retained one would be followed again at every connection, whatever was said since.
        """
        if not payload:  # somebody takes a retained command away
            return []
        try:
            if retained:
                raise CommandRefused(
                    "it is retained, so it would be followed again and again: send commands "
                    "without the retain flag, and take this one away by an empty retained message"
                )
            if self._closed:
                raise CommandRefused("the configuration is being changed: say it again")
            command = self._parser.parse(topic, payload)
            # Nothing else can change by it; there may be thousands of settings.
            labels = [command.label] if command.label else []
            before = set(self._told(labels))
            status = self._follow(command)
        except CommandRefused as exc:
            return self._refuse(topic, str(exc))
        log.info("command: %s", _said(command), extra=EVERY_TIME)
        own = self._topics.setting(command.source, command.name, command.label)
        changed = [m for m in self._told(labels) if m not in before or m.topic == own]
        return changed + status

    def close(self) -> None:
        """Follow nothing any more, and forget the ends of snoozes."""
        self._closed = True
        for timer in list(self._timers.values()):
            timer.cancel()

    def _told(self, labels: Collection[Label] | None = None) -> list[Message]:
        """Return the settings of all sources, and of their labels or some, as they are."""
        return list(self._settings.messages(self._topics, self._steady(), labels))

    def _follow(self, command: Command) -> list[Message]:
        """Do what a command wants; return what its source's status has become."""
        if command.name != "restart":
            self._settings.change(command, self._steady())
            self._follow_snooze(command.source)
            return self._apply(command.source)
        try:
            self._restart()
        except AstError as exc:
            raise CommandRefused(f"restart: it could not begin anew: {exc}") from exc
        return []

    def _refuse(self, topic: str, reason: str) -> list[Message]:
        log.warning("command refused: %s", reason, extra=EVERY_TIME)
        source = topic.removeprefix(self._topics.root + "/").split("/")[0]
        if source not in self._pipelines:
            return []
        payload = json.dumps({"schema": SCHEMA, "topic": topic[:200], "reason": reason})
        return [Message(self._topics.rejected(source), payload)]

    def _apply(self, source: str) -> list[Message]:
        """Let the daemon listen to a source as the settings are now; return its status."""
        self._submit(lambda: self._listen(source))
        now = self._clock()
        why = self._settings.of(source).pause(self._steady(), now)
        return self._status.pause(source, why, since=now)

    def _follow_snooze(self, source: str) -> None:
        """Go on when a snooze is over, or when the minutes that are said of it have changed."""
        if source in self._timers:
            self._timers.pop(source).cancel()
        now, changes = self._steady(), self._settings.of(source)
        if left := changes.seconds_left(now):
            pause = left - 60 * max(0, changes.minutes_left(now) - 1)
            timer = threading.Timer(pause, self._publish, (lambda: self._go_on(source),))
            timer.daemon = True
            timer.start()
            self._timers[source] = timer

    def _go_on(self, source: str) -> list[Message]:
        if self._closed:
            return []
        self._follow_snooze(source)
        status, snooze = self._apply(source), self._topics.setting(source, "snooze")
        return status + [told for told in self._told([]) if told.topic == snooze]

    def _listen(self, source: str) -> list[Event]:
        if self._closed:  # the pipelines follow another configuration by now
            return []
        return self._settings.apply(self._pipelines[source], self._steady())


def _said(command: Command) -> str:
    of = f" of {command.label.name}" if command.label else ""
    return f"{command.source}: {command.name}{of} = {command.value:g}"
