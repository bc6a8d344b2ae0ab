"""Home Assistant's MQTT discovery: devices appear, follow the configuration, and disappear.

Source: home-assistant.io/integrations/mqtt, "MQTT discovery", "Birth and last will messages".
"""

import json
import random
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ast_edge.home_assistant.discovery import Device
from ast_edge.home_assistant.entities import Component, Json
from ast_edge.home_assistant.record import Published, load_published, save_published
from ast_edge.mqtt.home_assistant_config import HomeAssistantConfig
from ast_edge.mqtt.message import Message
from ast_edge.mqtt.topics import Topics

JITTER = 5.0
"""Longest pause, in seconds, before devices are described to a Home Assistant that has started:
nodes must not all speak at once."""
MIGRATE = '{"migrate_discovery": true}'
STEP = 3.0
"""Seconds that Home Assistant has for one step (of a migration, of taking entities away) before the
next one comes."""


@dataclass(frozen=True)
class _Config:
    """What stands on one discovery topic."""

    payload: dict[str, Json]
    entities: dict[str, str]
    """Platforms by id, as in `Published.configs`."""

    def without(self, gone: Mapping[str, str]) -> "_Config":
        """Return it with entities (platforms by id) that Home Assistant is to remove."""
        removed: Component = {key: {"platform": platform} for key, platform in gone.items()}
        present = self.payload["components"]
        assert isinstance(present, dict)
        return _Config(self.payload | {"components": present | removed}, self.entities)

    def message(self, topic: str) -> Message:
        """Return it as a message."""
        text = json.dumps(self.payload, ensure_ascii=False, allow_nan=False)
        return Message(topic, text, retain=True)


class HomeAssistant:
    """Tells Home Assistant about devices, on every connection and whenever it starts.

    Configurations are retained. A record of them in a file lets what is no longer wanted be
    removed, also after a change of prefix, of base topic, of the form (`per_entity`), and when
    discovery is switched off. The record covers all retained topics of the node.

    A participant of MqttSink: all methods are called in one thread.
    """

    def __init__(
        self,
        config: HomeAssistantConfig,
        topics: Topics,
        devices: Iterable[Device],
        retained: Iterable[str],
        record: Path,
        jitter: Callable[[], float] = lambda: random.uniform(0, JITTER),
        takes: Callable[[Message], bool] = lambda message: True,
    ) -> None:
        """Take all topics but those of discovery in `retained`, and where the record is kept.

        `takes` tells whether the broker of now takes a message of its size.
        """
        self._status_topic = config.status_topic
        self._online = config.status_online.encode()
        self._greeted, self._token = topics.greeted, secrets.token_hex(4)
        self._record = record
        self._jitter = jitter
        self._config, self._devices, self._retained = config, list(devices), sorted(retained)
        self._takes = takes
        self._configs: dict[str, _Config] = {}
        self._wanted = Published()
        self._choose_form()
        self._before = load_published(record)
        self.subscriptions: tuple[str, ...] = (self._greeted,)
        if config.enabled:
            self.subscriptions += (self._status_topic,)

    def greet(self) -> list[Message]:
        """Return the configurations of all devices, and what removes those that are not wanted."""
        self._choose_form()
        told = Message(self._greeted, self._token)
        if self._before == self._wanted:
            return [*self._describe(), told]
        # Until the broker has confirmed that the old is gone, both may be there.
        save_published(self._record, self._wanted | self._before)
        if not (moved := self._moved()):
            # Entities that still listen would complain of the emptiness of their topics.
            emptied = self._emptied()
            last = _delayed([*emptied, told], STEP if emptied else 0.0)
            return [*self._removed(), *self._describe(), *last]
        # Home Assistant unloads the entities of one form, then takes them over in the other.
        return [
            *self._left_behind(moved),
            *(Message(topic, MIGRATE) for topic in moved),
            *_delayed(self._removed(), STEP),
            *_delayed([*self._describe(), *self._emptied(), told], 2 * STEP),
        ]

    def received(self, topic: str, payload: bytes, *, retained: bool = False) -> list[Message]:
        """Answer a Home Assistant that has started; note that the broker has all of a greeting."""
        if topic == self._greeted:
            # That of another configuration may still be on its way.
            if payload == self._token.encode() and self._before != self._wanted:
                self._before = self._wanted
                save_published(self._record, self._wanted)
        elif topic == self._status_topic and payload == self._online:
            return _delayed(self._describe(), self._jitter())
        return []

    def _choose_form(self) -> None:
        """Describe devices, or entity by entity if the broker does not take packets so large."""
        self._configs = _configs(self._config, self._devices)
        if not all(self._takes(found.message(topic)) for topic, found in self._configs.items()):
            by_entity = self._config.model_copy(update={"per_entity": True})
            self._configs = _configs(by_entity, self._devices)
        entities = {topic: found.entities for topic, found in self._configs.items()}
        self._wanted = Published(entities, tuple(self._retained))

    def _describe(self) -> list[Message]:
        return [config.message(topic) for topic, config in self._configs.items()]

    def _removed(self) -> list[Message]:
        """Return what removes the devices and entities that are not wanted any more."""
        before = self._before.configs
        unwanted = sorted(before.keys() - self._wanted.configs.keys())
        messages = [Message(topic, "", retain=True) for topic in unwanted]
        for topic, config in self._configs.items():
            entities = before.get(topic, {})
            gone = {k: p for k, p in entities.items() if config.entities.get(k) != p}
            if gone:
                messages.append(config.without(gone).message(topic))
        return messages

    def _emptied(self) -> list[Message]:
        """Return what empties all other topics that are not wanted any more."""
        unwanted = sorted(set(self._before.topics) - set(self._wanted.topics))
        return [Message(topic, "", retain=True) for topic in unwanted]

    def _moved(self) -> list[str]:
        """Return the topics of the other form of discovery whose entities live on."""
        gone = self._before.configs.keys() - self._configs.keys()
        wanted = self._entities()
        return sorted(topic for topic in gone if wanted & _entities(topic, self._before))

    def _left_behind(self, moved: Iterable[str]) -> list[Message]:
        """Return what removes entities which their devices do not take along into the other form.

        Unloaded with the others, they would stay in Home Assistant's registry for ever.
        """
        wanted, devices = self._entities(), {device.id: device for device in self._devices}
        messages = []
        for topic in moved:
            gone = {key for _, _, key in _entities(topic, self._before) - wanted}
            platforms = self._before.configs[topic]
            if gone and (device := devices.get(topic.split("/")[-2])):
                removed: Component = {key: {"platform": platforms[key]} for key in sorted(gone)}
                text = json.dumps(device.payload | {"components": removed}, ensure_ascii=False)
                messages.append(Message(topic, text))
        return messages

    def _entities(self) -> set[tuple[str, str, str]]:
        return {e for topic in self._configs for e in _entities(topic, self._wanted)}


def _delayed(messages: Iterable[Message], delay: float) -> list[Message]:
    return [replace(message, delay=delay) for message in messages]


def discovery_messages(config: HomeAssistantConfig, devices: Iterable[Device]) -> list[Message]:
    """Return the messages that describe devices to Home Assistant."""
    return [found.message(topic) for topic, found in _configs(config, devices).items()]


def _configs(config: HomeAssistantConfig, devices: Iterable[Device]) -> dict[str, _Config]:
    """Return what is to stand on every discovery topic; nothing if discovery is off."""
    configs: dict[str, _Config] = {}
    if not config.enabled:
        return configs
    for device in devices:
        platforms = {key: str(entity["platform"]) for key, entity in device.components.items()}
        if not config.per_entity:
            topic = f"{config.prefix}/device/{device.id}/config"
            configs[topic] = _Config(device.payload, platforms)
            continue
        # With node id and object id an entity has the same discovery id in both forms.
        for key, platform in platforms.items():
            topic = f"{config.prefix}/{platform}/{device.id}/{key}/config"
            configs[topic] = _Config(device.entity_payload(key), {key: platform})
    return configs


def _entities(topic: str, published: Published) -> set[tuple[str, str, str]]:
    """Return prefix, device and id of the entities that a discovery topic describes."""
    levels = topic.split("/")
    own_topic = levels[-3] != "device"
    prefix, device = "/".join(levels[: -4 if own_topic else -3]), levels[-3 if own_topic else -2]
    return {(prefix, device, key) for key in published.configs[topic]}
