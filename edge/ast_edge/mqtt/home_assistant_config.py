"""The configuration of Home Assistant's MQTT discovery."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from ast_edge.base.config_values import Slug
from ast_edge.base.yaml_file import Section

# fmt: off
BinarySensorClass = Literal[
    "carbon_monoxide", "gas", "heat", "moisture", "motion", "moving", "occupancy", "presence",
    "problem", "running", "safety", "smoke", "sound", "tamper", "vibration",
]
# fmt: on


def _topic(topic: str) -> str:
    if not topic or set(topic) & set("+#\0 ") or "" in topic.split("/") or topic[0] == "$":
        raise ValueError(
            "expected topic levels such as 'home/ast-edge', without '+', '#' and spaces, "
            f"got {topic!r}"
        )
    return topic


Topic = Annotated[str, AfterValidator(_topic)]


class HomeAssistantConfig(Section):
    """How sources and labels appear in Home Assistant by MQTT discovery."""

    enabled: bool = True
    prefix: Topic = "homeassistant"
    """The discovery prefix that Home Assistant's MQTT integration listens to."""
    status_topic: Topic = "homeassistant/status"
    """Where Home Assistant says that it has started (its birth message)."""
    status_online: str = "online"
    """The payload of its birth message."""
    per_entity: bool = False
    """One discovery topic for each entity: for Home Assistant before 2024.12."""
    label_controls: bool = False
    """A switch and a threshold for each label, even if there are more than ten."""
    smoke_class: bool = False
    """Show smoke and fire alarms as smoke detectors, not as sounds; automations for safety may
    then act on them."""
    device_classes: dict[str, BinarySensorClass] = Field(default_factory=dict)
    """Labels or groups that appear as something else than a sound: {Shatter: safety}."""
    names: dict[Slug, str] = Field(default_factory=dict)
    """Names of the devices, by source; "<node> <source>" unless given."""
    areas: dict[Slug, str] = Field(default_factory=dict)
    """The areas that are suggested for the devices, by source."""
