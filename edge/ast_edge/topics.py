"""Where things are on the broker: `<base>/<node>/…`."""

from dataclasses import dataclass

from ast_edge.events import Label


@dataclass(frozen=True)
class Topics:
    """The MQTT topics of one node."""

    base: str
    """First levels, shared by all nodes: "ast-edge"."""
    node: str

    @property
    def availability(self) -> str:
        """Retained "online" or "offline"."""
        return f"{self.base}/{self.node}/availability"

    def state(self, source: str, label: Label) -> str:
        """Retained "ON" while the label is heard at the source, else "OFF"."""
        return f"{self.base}/{self.node}/{source}/{label.slug}/state"

    def event(self, source: str) -> str:
        """The source's events as JSON, never retained; source "+" is a filter for all of them."""
        return f"{self.base}/{self.node}/{source}/event"
