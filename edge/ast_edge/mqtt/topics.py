"""Where things are on the broker: `<base>/<node>/…`."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ast_edge.model.label import Label

LABEL_SETTINGS = ("enabled", "on", "off")
"""What can be changed of one label while the daemon runs."""
SOURCE_SETTINGS = ("enabled", "snooze")
"""What can be changed of a whole source."""


@dataclass(frozen=True)
class Topics:
    """The MQTT topics of one node; a group of labels has those of a label.

    What is retained is the present; events, levels and commands never are.
    """

    base: str
    """First levels, shared by all nodes: "ast-edge"."""
    node: str

    @property
    def root(self) -> str:
        """What all topics of the node begin with."""
        return f"{self.base}/{self.node}"

    @property
    def availability(self) -> str:
        """Retained "online" or "offline": the daemon."""
        return f"{self.root}/availability"

    @property
    def greeted(self) -> str:
        """Where the node tells itself that the broker has all that came before; not retained."""
        return f"{self.root}/greeted"

    @property
    def info(self) -> str:
        """Retained JSON: version, models, configuration's hash, sources of the node."""
        return f"{self.root}/info"

    @property
    def update(self) -> str:
        """Retained JSON: which bundle is used, which is wanted, and how far that is."""
        return f"{self.root}/update"

    @property
    def desired(self) -> str:
        """Where others leave, retained, the pointer to the bundle that the node is to use."""
        return f"{self.root}/desired"

    @property
    def desired_of_all(self) -> str:
        """The same for all nodes."""
        return f"{self.base}/desired"

    @property
    def node_command(self) -> str:
        """Where others say "install" or "rollback"."""
        return f"{self.root}/command"

    def source_availability(self, source: str) -> str:
        """Retained "online" or "offline": sound comes from the source."""
        return f"{self.root}/{source}/availability"

    def state(self, source: str, label: Label) -> str:
        """Retained "ON" while the label is heard at the source, else "OFF"."""
        return f"{self.root}/{source}/{label.slug}/state"

    def attributes(self, source: str, label: Label) -> str:
        """Retained JSON: the label's newest event at the source."""
        return f"{self.root}/{source}/{label.slug}/attributes"

    def event(self, source: str) -> str:
        """The source's events as JSON, never retained; source "+" is a filter for all of them."""
        return f"{self.root}/{source}/event"

    def last(self, source: str) -> str:
        """Retained JSON: the source's newest event, of whatever label."""
        return f"{self.root}/{source}/last"

    def level(self, source: str) -> str:
        """How loud it is, as JSON, not retained."""
        return f"{self.root}/{source}/level"

    def status(self, source: str) -> str:
        """Retained JSON: whether the source listens, else why not."""
        return f"{self.root}/{source}/status"

    def diagnostics(self, source: str) -> str:
        """Retained JSON: speed, latency, losses, model."""
        return f"{self.root}/{source}/diagnostics"

    def setting(self, source: str, name: str, label: Label | None = None) -> str:
        """Retained: what a setting is at present; see `command`."""
        return f"{self.root}/{source}/{label.slug + '/' if label else ''}{name}"

    def command(self, source: str, name: str, label: Label | None = None) -> str:
        """Where others change a setting (`LABEL_SETTINGS`, `SOURCE_SETTINGS`) or say "restart"."""
        return f"{self.root}/{source}/set/{label.slug + '/' if label else ''}{name}"

    def rejected(self, source: str) -> str:
        """Why a command was not followed, as JSON, not retained."""
        return f"{self.root}/{source}/rejected"

    @property
    def commands(self) -> str:
        """Filter for all commands."""
        return f"{self.root}/+/set/#"

    def retained(self, source: str, labels: Iterable[Label]) -> Iterator[str]:
        """Yield every topic on which a source may have left something at the broker."""
        yield self.source_availability(source)
        yield self.last(source)
        yield self.status(source)
        yield self.diagnostics(source)
        for name in SOURCE_SETTINGS:
            yield self.setting(source, name)
        for label in labels:
            yield self.state(source, label)
            yield self.attributes(source, label)
            for name in LABEL_SETTINGS:
                yield self.setting(source, name, label)
