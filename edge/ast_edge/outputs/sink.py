"""Where events go: the protocol of everything that is told about them."""

from typing import Protocol

from ast_edge.detection.event import Event


class Sink(Protocol):
    """A receiver of events, told about every phase of every event in order."""

    def publish(self, event: Event) -> None:
        """Take the event at once: never block on a network, never raise for a fault of one."""
        ...

    def close(self) -> None:
        """Deliver what can be delivered in about two seconds, and release everything."""
        ...
