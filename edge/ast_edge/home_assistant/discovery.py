"""What Home Assistant is told about the devices of a node: MQTT discovery payloads.

Source: home-assistant.io/integrations/mqtt, "MQTT discovery" and the pages of each platform.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ast_edge import __version__
from ast_edge.base.errors import ConfigError
from ast_edge.base.yaml_file import did_you_mean
from ast_edge.home_assistant.entities import Component, Entities, Json, update_entities
from ast_edge.model.label import Label
from ast_edge.mqtt.home_assistant_config import HomeAssistantConfig
from ast_edge.mqtt.topics import Topics

# Not described as disabled instead: Home Assistant keeps disabled entities when they are removed.
FEW_LABELS = 10
"""Up to so many have a switch and a threshold each, more only with `label_controls`."""
SMOKE_ALARMS = {"/m/01y3hg", "/m/0c3f7m"}
"""AudioSet's "Smoke detector, smoke alarm" and "Fire alarm"."""


@dataclass(frozen=True)
class Device:
    """One device of Home Assistant with its entities."""

    id: str
    """`[A-Za-z0-9_-]` only; also the first part of each entity's unique id."""
    description: Component
    components: dict[str, Component]
    """Entities by their ids in the device."""
    shared: Component = field(default_factory=dict)
    """Options that hold for every entity which has none of its own."""

    @property
    def payload(self) -> dict[str, Json]:
        """The device as one payload (Home Assistant 2024.12 and later)."""
        return self._head | self.shared | {"components": self.components}

    def entity_payload(self, key: str) -> dict[str, Json]:
        """One entity as a payload of its own (for all versions)."""
        component = dict(self.components[key])
        del component["platform"]
        return self._head | self.shared | component

    @property
    def _head(self) -> dict[str, Json]:
        return {
            "device": self.description,
            "origin": {"name": "ast-edge", "sw_version": __version__},
        }


def describe(
    config: HomeAssistantConfig,
    topics: Topics,
    labels: Mapping[str, Sequence[Label]],
    *,
    models: Mapping[str, str],
    commands: bool,
    updates: bool = False,
) -> list[Device]:
    """Return the device of the host and one for each source; groups are labels here.

    `labels` are those that are reported of each source, `models` the names of the bundles. With
    `commands` there are switches, thresholds and buttons (`Topics.command`), with `updates` that of
    the model.
    """
    devices = [_host(topics, updates=updates, commands=commands)]
    for source, reported in labels.items():
        entities = Entities(device_id(topics.node, source), topics, source)
        components = entities.sounds(reported, _classes(config, reported)) | entities.sensors()
        if commands:
            components |= entities.controls()
        if commands and (config.label_controls or len(reported) <= FEW_LABELS):
            components |= entities.label_controls(reported)
        described: Component = {
            "identifiers": [entities.device],
            "name": config.names.get(source) or _title(f"{topics.node} {source}"),
            "manufacturer": "ast-edge",
            "model": f"Sound detector, model {models[source]}",
            "sw_version": __version__,
            "via_device": device_id(topics.node),
        }
        if source in config.areas:
            described["suggested_area"] = config.areas[source]
        shared: Component = {
            "availability": [
                {"topic": topics.availability},
                {"topic": topics.source_availability(source)},
            ],
            "availability_mode": "all",
        }
        devices.append(Device(entities.device, described, components, shared))
    return devices


def device_id(node: str, source: str | None = None) -> str:
    """Return an id that no other node and source have.

    "-" separates and is doubled within a name, so that "a-b" with "c" is not "a" with "b-c".
    """
    parts = [node] if source is None else [node, source]
    return "-".join(["ast-edge", *(part.replace("-", "--") for part in parts)])


def _host(topics: Topics, *, updates: bool, commands: bool) -> Device:
    device = device_id(topics.node)
    connection: Component = {
        "platform": "binary_sensor",
        "unique_id": f"{device}-connection",
        "name": "Connection",
        "device_class": "connectivity",
        "entity_category": "diagnostic",
        "state_topic": topics.availability,
        "payload_on": "online",
        "payload_off": "offline",
        "qos": 1,
    }
    described: Component = {
        "identifiers": [device],
        "name": _title(topics.node),
        "manufacturer": "ast-edge",
        "model": "Sound detection node",
        "sw_version": __version__,
    }
    components = {"connection": connection}
    if updates:
        components |= update_entities(device, topics, commands=commands)
    return Device(device, described, components)


def check_device_classes(config: HomeAssistantConfig, labels: Sequence[Label]) -> None:
    """Compare the labels that have a device class with those that are reported of any source.

    Raises:
        ConfigError: for one that is not, with the nearest match.
    """
    known = {key for label in labels for key in (label.name, label.slug)}
    for name in config.device_classes:
        if name not in known:
            raise ConfigError(
                f"mqtt.home_assistant.device_classes: {name!r} is not one of the labels that are "
                f"reported{did_you_mean(name, [label.name for label in labels])}"
            )


def _classes(config: HomeAssistantConfig, labels: Sequence[Label]) -> dict[Label, str]:
    """Return the classes of the labels of one source that are not plain sounds."""
    classes: dict[Label, str] = {}
    if config.smoke_class:
        classes = {label: "smoke" for label in labels if label.mid in SMOKE_ALARMS}
    known = {key: label for label in labels for key in (label.name, label.slug)}
    for name, device_class in config.device_classes.items():
        if name in known:
            classes[known[name]] = device_class
    return classes


def _title(name: str) -> str:
    words = name.replace("_", " ").replace("-", " ").strip()
    return words[:1].upper() + words[1:]
