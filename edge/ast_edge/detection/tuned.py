"""What `ast-edge tune` writes of itself into a configuration: on what its settings were chosen."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from pydantic import Field

from ast_edge.base.yaml_file import Section

if TYPE_CHECKING:
    from ast_edge.detection.config import LabelConfig

KEYS = ("on", "off", "min_duration", "hold", "cooldown")


class Tuned(Section):
    """On what the settings of labels were chosen; it changes nothing."""

    labels: list[str]
    """Those of the section `labels` that were chosen together."""
    settings: str
    """sha256 of what was chosen; see `settings_sha256`."""
    model: str
    """sha256 of the bundle whose scores they were chosen by."""
    wish: float = Field(gt=0)
    """False alarms per hour of all labels and groups that were chosen."""
    limit: float = Field(ge=0)
    """What they were below with 95 % confidence, by recordings that took no part in the choice."""
    negative_hours: float = Field(ge=0)
    negative_recordings: int = Field(ge=0)
    negative_rooms: int = Field(ge=0)
    positive_hours: float = Field(default=0, ge=0)
    positive_recordings: int = Field(default=0, ge=0)
    events: int = Field(default=0, ge=0)
    """Of these labels, in the positives."""
    annotations: str = ""
    """sha256 of the table of events; empty without."""
    unsure: list[str] = Field(default_factory=list)
    """sha256 of each table of what may sound, where events counted for nothing."""

    def covers(self, labels: "Mapping[str, LabelConfig | None]") -> bool:
        """Tell whether the labels still have the settings that were chosen."""
        known = all(name in labels for name in self.labels)
        return known and settings_sha256(labels, self.labels) == self.settings


def settings_sha256(labels: "Mapping[str, LabelConfig | None]", names: Iterable[str]) -> str:
    """Compute the sum of what a configuration says of these labels."""
    said = {
        name: {} if (one := labels[name]) is None else {key: getattr(one, key) for key in KEYS}
        for name in names
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
