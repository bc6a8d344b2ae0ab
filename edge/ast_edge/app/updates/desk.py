"""Where pointers and commands of the broker's clients arrive, and answers leave."""

import logging
import secrets
from collections.abc import Callable

from ast_edge.app.updates.updater import Updater
from ast_edge.base.log_format import EVERY_TIME
from ast_edge.fleet.pointer import Scope
from ast_edge.mqtt.message import Message
from ast_edge.mqtt.topics import Topics

log = logging.getLogger(__name__)


class UpdateDesk:
    """Hands over what is told of bundles, and tells what becomes of it.

    A participant of MqttSink. Commands must not be retained. A pointer is, and is withdrawn when
    the broker has none any more, even if that happened while this node was away: what is retained
    comes in answer to a subscription, so before a message that the node sends itself after that.
    """

    def __init__(
        self,
        topics: Topics,
        updater: Updater,
        *,
        commands: bool,
        keeps: Callable[[], bool] = lambda: True,
    ) -> None:
        """Listen for pointers, and with `commands` for "install" and "rollback".

        `keeps` tells whether the broker of now keeps what is retained: else nothing that is missing
        has been withdrawn.
        """
        self._topics, self._updater, self._keeps = topics, updater, keeps
        self._scopes: dict[str, Scope] = {
            topics.desired: "node",
            topics.desired_of_all: "all",
        }
        self._missing: set[Scope] = set()
        """Whose pointers have not come since the connection was made."""
        self._token = ""
        """Of the message that comes when they have."""
        self.subscriptions: tuple[str, ...] = (*self._scopes, topics.greeted)
        if commands:
            self.subscriptions += (topics.node_command,)

    def greet(self) -> list[Message]:
        """Return how far the update is, and what comes back behind all pointers."""
        self._missing, self._token = set(self._scopes.values()), secrets.token_hex(4)
        return [*self.tell(), Message(self._topics.greeted, self._token)]

    def tell(self) -> list[Message]:
        """Return how far the update is."""
        return [Message(self._topics.update, self._updater.status.payload, retain=True)]

    def received(self, topic: str, payload: bytes, *, retained: bool = False) -> list[Message]:
        """Hand it over; what becomes of it is told later."""
        if topic == self._topics.greeted:
            if payload == self._token.encode() and self._keeps():
                for withdrawn in self._missing:
                    self._updater.told(withdrawn, b"")
        elif scope := self._scopes.get(topic):
            self._missing.discard(scope)
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
