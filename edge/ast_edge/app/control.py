"""Commands of the broker's clients, on their way to the daemon and back as retained settings."""

import json
import logging
from collections.abc import Callable, Collection, Iterable, Mapping

from ast_edge.app.commander import Commander
from ast_edge.base.clock import SINCE_BOOT
from ast_edge.base.errors import AstError
from ast_edge.base.log_format import EVERY_TIME
from ast_edge.detection.event import Event
from ast_edge.model.label import Label
from ast_edge.mqtt.commands import Command, CommandParser, CommandRefused
from ast_edge.mqtt.message import Message
from ast_edge.mqtt.topics import Topics
from ast_edge.outputs.schema import SCHEMA

log = logging.getLogger(__name__)

Action = Callable[[], list[Event]]
"""Something to do in the daemon's thread; the events are published."""
Publish = Callable[[Callable[[], Iterable[Message]]], None]
"""Runs what makes messages in the connection's thread, and sends them."""


class Control:
    """Hands commands to the daemon's thread, and tells what has become of them.

    A participant of MqttSink. Every change is kept before it is acknowledged by the retained
    setting; what cannot be followed is answered on `Topics.rejected`.
    """

    def __init__(
        self,
        topics: Topics,
        labels: Mapping[str, Collection[Label]],
        commander: Commander,
        *,
        publish: Publish,
        submit: Callable[[Action], None],
        restart: Callable[[], None],
        steady: Callable[[], float] = SINCE_BOOT,
    ) -> None:
        """Understand commands about these sources and the labels that are reported of each.

        `submit` runs an action in the daemon's thread, where the commander judges.
        `restart` raises an AstError where the program could not begin anew.
        """
        self._topics, self._commander = topics, commander
        self._publish, self._submit, self._restart = publish, submit, restart
        self._steady = steady
        self._sources = set(labels)
        known = {source: {x.slug: x for x in reported} for source, reported in labels.items()}
        self._parser = CommandParser(topics, known)

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """All commands of the node."""
        return (self._topics.commands,)

    def greet(self) -> list[Message]:
        """Return every setting as it is."""
        return self._told()

    def received(self, topic: str, payload: bytes, *, retained: bool = False) -> list[Message]:
        """Hand a command over, or return why it is refused; what it changes is told later.

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
            command = self._parser.parse(topic, payload)
            if command.name == "restart":
                return self._begin_anew(command)
        except CommandRefused as exc:
            return self._refuse(topic, str(exc))
        self._submit(lambda: self._obey(topic, command))
        return []

    def passed(self, source: str) -> None:
        """Tell that a source's snooze is shorter, or over; called in the daemon's thread."""
        snooze = self._topics.setting(source, "snooze")
        told = [message for message in self._told([]) if message.topic == snooze]
        self._publish(lambda: told)

    def changed(self, command: Command) -> None:
        """Tell what somebody else has changed; called in the daemon's thread."""
        told = self._told([command.label] if command.label else [])
        self._publish(lambda: told)

    def _obey(self, topic: str, command: Command) -> list[Event]:
        """Follow a command; called in the daemon's thread."""
        # Nothing else can change by it; there may be thousands of settings.
        labels = [command.label] if command.label else []
        before = set(self._told(labels))
        try:
            events = self._commander.obey(command)
        except CommandRefused as exc:
            reason = str(exc)
            self._publish(lambda: self._refuse(topic, reason))
            return []
        log.info("command: %s", _said(command), extra=EVERY_TIME)
        own = self._topics.setting(command.source, command.name, command.label)
        changed = [m for m in self._told(labels) if m not in before or m.topic == own]
        self._publish(lambda: changed)
        return events

    def _told(self, labels: Collection[Label] | None = None) -> list[Message]:
        """Return the settings of all sources, and of their labels or some, as they are."""
        settings = self._commander.settings
        return list(settings.messages(self._topics, self._steady(), labels)) if settings else []

    def _begin_anew(self, command: Command) -> list[Message]:
        try:
            self._restart()
        except AstError as exc:
            raise CommandRefused(f"restart: it could not begin anew: {exc}") from exc
        log.info("command: %s", _said(command), extra=EVERY_TIME)
        return []

    def _refuse(self, topic: str, reason: str) -> list[Message]:
        log.warning("command refused: %s", reason, extra=EVERY_TIME)
        source = topic.removeprefix(self._topics.root + "/").split("/")[0]
        if source not in self._sources:
            return []
        payload = json.dumps({"schema": SCHEMA, "topic": topic[:200], "reason": reason})
        return [Message(self._topics.rejected(source), payload)]


def _said(command: Command) -> str:
    of = f" of {command.label.name}" if command.label else ""
    return f"{command.source}: {command.name}{of} = {command.value:g}"
