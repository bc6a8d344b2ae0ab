"""What others may change over MQTT while the daemon runs, and what of it is refused.

A command is one short text under `<base>/<node>/<source>/set/…`; `docs/mqtt.md` lists them.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from ast_edge.base.yaml_file import did_you_mean
from ast_edge.model.label import Label
from ast_edge.mqtt.topics import LABEL_SETTINGS, SOURCE_SETTINGS, Topics

LONGEST = 32
"""Bytes of a payload; no command needs more."""
LONGEST_SNOOZE = 1440.0
"""Minutes: a day."""
SWITCH = {"ON": True, "OFF": False}
PRESS = "PRESS"


class CommandRefused(Exception):
    """A command cannot be followed; the message says why, for the one who sent it."""


@dataclass(frozen=True)
class Command:
    """Something to change."""

    source: str
    name: str
    """One of LABEL_SETTINGS or SOURCE_SETTINGS of `ast_edge.mqtt.topics`, or "restart"."""
    value: float
    """Probability (on, off), minutes (snooze; 0 ends it), 1 or 0 (enabled), 1 (restart)."""
    label: Label | None = None
    """The label or group it is about; None for the whole source."""


@dataclass(frozen=True)
class CommandParser:
    """Understands the commands of one node."""

    topics: Topics
    labels: Mapping[str, Mapping[str, Label]]
    """Labels and groups of each source, by slug."""

    def parse(self, topic: str, payload: bytes) -> Command:
        """Understand a message that was sent to `Topics.commands`.

        Raises:
            CommandRefused: for an unknown source, label or setting, or a value that cannot be.
        """
        source, *path = self._path(topic)
        if source not in self.labels:
            raise CommandRefused(f"no source {source!r}{did_you_mean(source, list(self.labels))}")
        label = self._label(source, path.pop(0)) if len(path) > 1 else None
        known = LABEL_SETTINGS if label else (*SOURCE_SETTINGS, "restart")
        name = "/".join(path)
        if name not in known:
            raise CommandRefused(f"no setting {name!r:.60}: expected {', '.join(known)}")
        return Command(source, name, _value(name, _text(payload)), label)

    def _path(self, topic: str) -> list[str]:
        """Return source, then what follows "set"."""
        parts = topic.removeprefix(self.topics.root + "/").split("/")
        if not topic.startswith(self.topics.root + "/") or len(parts) < 3 or parts[1] != "set":
            raise CommandRefused(f"{topic!r:.100} is no topic for commands")
        return [parts[0], *parts[2:]]

    def _label(self, source: str, slug: str) -> Label:
        known = self.labels[source]
        if slug in known:
            return known[slug]
        if any(slug in others for others in self.labels.values()):
            raise CommandRefused(f"no label {slug!r} at {source!r}: its bundle does not hear that")
        raise CommandRefused(f"no label {slug!r:.60}{did_you_mean(slug, list(known))}")


def _text(payload: bytes) -> str:
    if len(payload) > LONGEST:
        raise CommandRefused(f"expected at most {LONGEST} bytes, got {len(payload)}")
    try:
        return payload.decode("ascii").strip()
    except UnicodeDecodeError:
        raise CommandRefused(f"expected plain text, got {payload!r}") from None


def _value(name: str, text: str) -> float:
    if name == "enabled":
        if text not in SWITCH:
            raise CommandRefused(f"enabled: expected ON or OFF, got {text!r}")
        return float(SWITCH[text])
    if name == "restart":
        if text != PRESS:
            raise CommandRefused(f"restart: expected {PRESS}, got {text!r}")
        return 1.0
    return _number(name, text, LONGEST_SNOOZE if name == "snooze" else 1.0)


def _number(name: str, text: str, largest: float) -> float:
    try:
        # float() would also take "nan", "infinity" and "1_0".
        value = float(text) if set(text) <= set("0123456789.eE+-") else math.nan
    except ValueError:
        value = math.nan
    if not 0 <= value <= largest:
        raise CommandRefused(f"{name}: expected a number from 0 to {largest:g}, got {text!r}")
    return value
