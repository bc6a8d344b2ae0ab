"""Where pointers and commands of the broker's clients arrive, and answers leave."""

import logging

from ast_edge.app.updates.updater import Updater
from ast_edge.base.log_format import EVERY_TIME
from ast_edge.fleet.pointer import Scope
from ast_edge.mqtt.message import Message
from ast_edge.mqtt.topics import Topics

log = logging.getLogger(__name__)


class UpdateDesk:
    """Hands over what is told of bundles, and tells what becomes of it.

    A participant of MqttSink. Pointers are retained, or are not; commands must not be.
    """

    def __init__(self, topics: Topics, updater: Updater, *, commands: bool) -> None:
        """Listen for pointers, and with `commands` for "install" and "rollback"."""
        self._topics, self._updater = topics, updater
        self._scopes: dict[str, Scope] = {
            topics.desired: "node",
            topics.desired_of_all: "all",
        }
        self.subscriptions: tuple[str, ...] = tuple(self._scopes)
        if commands:
            self.subscriptions += (topics.node_command,)

    def greet(self) -> list[Message]:
        """Return how far the update is."""
        return [Message(self._topics.update, self._updater.status.payload, retain=True)]

    def received(self, topic: str, payload: bytes, *, retained: bool = False) -> list[Message]:
        """Hand it over; what becomes of it is told later."""
        if scope := self._scopes.get(topic):
            self._updater.told(scope, payload)
        elif retained and payload:
            log.warning(
                "%s: a command that is retained would be followed again and again: it is not; "
                "take it away by an empty retained message",
                topic,
            )
        elif payload:
            log.info("command: %.40r", payload.decode("utf-8", "replace"), extra=EVERY_TIME)
            self._updater.command(payload)
        return []
