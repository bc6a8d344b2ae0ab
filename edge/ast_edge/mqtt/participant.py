"""What other parts of the node say and hear over its MQTT connection."""

from typing import Protocol

from ast_edge.mqtt.message import Message


class Participant(Protocol):
    """Another part that talks over the sink's connection; called in the connection's thread."""

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """Topic filters to subscribe to, on every connection."""
        ...

    def greet(self) -> list[Message]:
        """Return what a broker is to be told that may know nothing; after all states."""
        ...

    def received(self, topic: str, payload: bytes, *, retained: bool) -> list[Message]:
        """Take a message that matches `subscriptions`; return what is to be published then.

        `retained` tells that it was sent at another time, perhaps long ago.
        """
        ...
