"""The entities of one source, as Home Assistant's MQTT discovery describes them.

Source: home-assistant.io/integrations/binary_sensor.mqtt, event.mqtt, sensor.mqtt, switch.mqtt,
number.mqtt, button.mqtt and update.mqtt.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ast_edge.home_assistant.icons import icon
from ast_edge.model.label import Label
from ast_edge.monitoring.state import STATES
from ast_edge.mqtt.source_status import LEVEL_EXPIRY
from ast_edge.mqtt.topics import Topics

Json: TypeAlias = "str | int | float | bool | Sequence[Json] | Mapping[str, Json] | None"
Component = dict[str, Json]
"""One entity, with its `platform`."""

# An event entity fires for an occurrence: once per sound, and not for one that came hours late.
EVENT_TEMPLATE = (
    "{%% if value_json.type == 'start' and not value_json.get('late')%s %%}"
    "{{ dict(value_json, event_type=%s) | tojson }}{%% endif %%}"
)


@dataclass(frozen=True)
class Entities:
    """Makes the entities of one source, by their ids in its device."""

    device: str
    """Id of the device."""
    topics: Topics
    source: str

    def sounds(self, labels: Sequence[Label], classes: Mapping[Label, str]) -> dict[str, Component]:
        """Describe events, and one binary sensor per label, a "sound" unless in `classes`."""
        slugs = [label.slug for label in labels]
        # Of a type that it does not know yet, after a reload, Home Assistant would complain.
        known = f" and value_json.slug in {slugs}"
        entities = {"event": self._event("event", "Sound event", slugs, known, "value_json.slug")}
        if "doorbell" in slugs:
            # "ring" is the type that Home Assistant prescribes for the class.
            only = " and value_json.slug == 'doorbell'"
            ring = self._event("doorbell", "Doorbell", ["ring"], only, "'ring'")
            entities["doorbell"] = ring | {"device_class": "doorbell", "icon": "mdi:doorbell"}
        for label in labels:
            key = f"label_{label.slug}"
            entities[key] = self._entity("binary_sensor", key, label.name) | {
                "device_class": classes.get(label, "sound"),
                "icon": icon(label),
                "state_topic": self.topics.state(self.source, label),
                "json_attributes_topic": self.topics.attributes(self.source, label),
            }
        return entities

    def sensors(self) -> dict[str, Component]:
        """Describe what is measured: newest sound, level, status and diagnostics."""
        last, status = self.topics.last(self.source), self.topics.status(self.source)
        return {
            "last": self._entity("sensor", "last", "Last sound")
            | {
                "icon": "mdi:ear-hearing",
                "state_topic": last,
                "json_attributes_topic": last,
                "value_template": "{{ value_json.label }}",
            },
            "level": self._entity("sensor", "level", "Level")
            | {
                "icon": "mdi:volume-high",
                "state_topic": self.topics.level(self.source),
                "value_template": "{{ value_json.rms }}",
                "unit_of_measurement": "dBFS",
                "state_class": "measurement",
                "expire_after": LEVEL_EXPIRY,
                "qos": 0,
            },
            # It says why the source is not available, so it must not go with it.
            "status": self._entity("sensor", "status", "Status")
            | {
                "availability": self._node_only,
                "entity_category": "diagnostic",
                "device_class": "enum",
                "options": list(STATES),
                "state_topic": status,
                "json_attributes_topic": status,
                "value_template": "{{ value_json.state }}",
            },
            "latency": self._diagnostic("latency", "Latency", "latency_ms")
            | {
                "device_class": "duration",
                "unit_of_measurement": "ms",
                "state_class": "measurement",
            },
            "real_time_factor": self._diagnostic(
                "real_time_factor", "Real-time factor", "real_time_factor"
            )
            | {"icon": "mdi:speedometer", "state_class": "measurement"},
            "dropped_windows": self._diagnostic(
                "dropped_windows", "Dropped windows", "dropped_windows"
            )
            | {"icon": "mdi:timer-alert-outline", "state_class": "total_increasing"},
            "model": self._diagnostic("model", "Model", "model") | {"icon": "mdi:brain"},
        }

    def controls(self) -> dict[str, Component]:
        """Describe what can be done with the source; available as long as the node is."""
        return {
            "enabled": self._control("switch", "enabled", "Detection")
            | {"icon": "mdi:ear-hearing"},
            "snooze": self._control("number", "snooze", "Snooze")
            | {"icon": "mdi:sleep", "device_class": "duration", "unit_of_measurement": "min"}
            | {"min": 0, "max": 1440, "step": 1, "mode": "box"},
            "restart": self._control("button", "restart", "Restart") | {"device_class": "restart"},
        }

    def label_controls(self, labels: Sequence[Label]) -> dict[str, Component]:
        """Describe the switch and the threshold of every label."""
        controls = {}
        for label in labels:
            controls[f"enabled_{label.slug}"] = self._control(
                "switch", "enabled", f"{label.name} detection", label
            ) | {"icon": icon(label)}
            controls[f"on_{label.slug}"] = self._control(
                "number", "on", f"{label.name} threshold", label
            ) | {"icon": "mdi:tune", "min": 0, "max": 1, "step": 0.01, "mode": "box"}
        return controls

    @property
    def _node_only(self) -> Json:
        return [{"topic": self.topics.availability}]

    def _entity(self, platform: str, key: str, name: str) -> Component:
        unique_id = f"{self.device}-{key}"
        return {"platform": platform, "unique_id": unique_id, "name": name, "qos": 1}

    def _event(
        self, key: str, name: str, types: Sequence[str], condition: str, event_type: str
    ) -> Component:
        return self._entity("event", key, name) | {
            "icon": "mdi:waveform",
            "event_types": types,
            "state_topic": self.topics.event(self.source),
            "value_template": EVENT_TEMPLATE % (condition, event_type),
        }

    def _diagnostic(self, key: str, name: str, value: str) -> Component:
        return self._entity("sensor", key, name) | {
            "entity_category": "diagnostic",
            "state_topic": self.topics.diagnostics(self.source),
            "value_template": f"{{{{ value_json.{value} }}}}",
        }

    def _control(
        self, platform: str, name: str, title: str, label: Label | None = None
    ) -> Component:
        key = f"{name}_{label.slug}" if label else name
        control = self._entity(platform, key, title) | {
            "availability": self._node_only,
            "entity_category": "config",
            "command_topic": self.topics.command(self.source, name, label),
        }
        if platform != "button":
            control["state_topic"] = self.topics.setting(self.source, name, label)
        return control


# Home Assistant takes no other keys, and "none" where there is nothing to be had.
UPDATE_TEMPLATE = (
    "{{ {'installed_version': value_json.installed, 'latest_version': value_json.latest, "
    "'in_progress': value_json.in_progress, 'update_percentage': value_json.percentage, "
    "'release_summary': value_json.detail[:255]} | tojson }}"
)


def update_entities(device: str, topics: Topics, *, commands: bool) -> dict[str, Component]:
    """Describe the model of a node as what can be updated, and with `commands` installed.

    Source: home-assistant.io/integrations/update.mqtt.
    """
    update: Component = {
        "platform": "update",
        "unique_id": f"{device}-update",
        "name": "Model",
        "title": "Sound model",
        "icon": "mdi:brain",
        "entity_category": "config",
        "availability": [{"topic": topics.availability}],
        "state_topic": topics.update,
        "value_template": UPDATE_TEMPLATE,
        "qos": 1,
    }
    if not commands:
        return {"update": update}
    back: Component = {
        "platform": "button",
        "unique_id": f"{device}-rollback",
        "name": "Model before",
        "icon": "mdi:undo",
        "entity_category": "config",
        "availability": [{"topic": topics.availability}],
        "command_topic": topics.node_command,
        "payload_press": "rollback",
        "qos": 1,
    }
    told: Component = {"command_topic": topics.node_command, "payload_install": "install"}
    return {"update": update | told, "rollback": back}
