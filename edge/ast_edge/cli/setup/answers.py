"""What is known of a configuration before it is written."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ast_edge.app.config import Config
from ast_edge.app.plan import Plan, make_plan
from ast_edge.base.yaml_file import parse_tree

NO_BROKER = "none"


@dataclass(frozen=True)
class Broker:
    """Where events go."""

    host: str
    port: int | None = None
    tls: bool = False
    ca: Path | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    def tree(self) -> dict[str, Any]:
        """Return its section, with the password in it, which is for memory alone."""
        tree: dict[str, Any] = {"host": self.host}
        if self.port:
            tree["port"] = self.port
        if self.tls or self.ca:
            tree["tls"] = {"ca": str(self.ca)} if self.ca else {}
        if self.username is not None:
            tree["username"] = self.username
        if self.password is not None:
            tree["password"] = self.password
        return tree


@dataclass(frozen=True)
class Answers:
    """What was answered so far; the rest is as in a configuration that leaves it out."""

    microphone: str = "default"
    room: str = "room"
    node: str | None = None
    broker: Broker | None = None
    labels: tuple[str, ...] = ()
    """All that the bundle knows unless some are named."""
    bundle: str = "home"
    hop: float | None = None
    idle_hop: float | None = None
    engine: Mapping[str, Any] = field(default_factory=dict)

    def tree(self) -> dict[str, Any]:
        """Return the configuration as the tree of a file."""
        tree: dict[str, Any] = {
            "node": self.node,
            "bundle": self.bundle,
            "hop": self.hop,
            "idle_hop": self.idle_hop,
            "engine": dict(self.engine) or None,
            "labels": list(self.labels) or None,
            "mqtt": self.broker.tree() if self.broker else None,
        }
        known = {key: value for key, value in tree.items() if value is not None}
        return {"sources": {self.room: {"microphone": self.microphone}}} | known

    def plan(self, path: Path) -> Plan:
        """Resolve them as if they stood in this file.

        Raises:
            ConfigError, BundleError: for anything that cannot be.
        """
        return make_plan(self.config(path), path)

    def config(self, path: Path) -> Config:
        """Return them as what is read of this file.

        Raises:
            ConfigError: for anything that cannot be.
        """
        return parse_tree(self.tree(), Config, path)


def parse_broker(text: str) -> tuple[str, int | None]:
    """Split HOST, HOST:PORT or [ADDRESS]:PORT; what cannot be is found by the configuration."""
    host, colon, port = text.strip().rpartition(":")
    if colon and port.isdecimal() and (":" not in host or host.endswith("]")):
        return host.removeprefix("[").removesuffix("]"), int(port)
    return text.strip().removeprefix("[").removesuffix("]"), None
