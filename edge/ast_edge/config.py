"""The configuration: one YAML file is one tree of frozen models."""

import re
import socket
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    model_validator,
)

from ast_edge.aggregator import LATENCY_SECONDS
from ast_edge.clips_config import ClipsConfig
from ast_edge.events import slugify
from ast_edge.metrics_config import MetricsConfig
from ast_edge.schedule import find_zone, parse_period
from ast_edge.source_config import BundleName, SourceConfig
from ast_edge.tuned import Tuned
from ast_edge.yaml_file import (
    InputPath,
    OutputPath,
    Section,
    did_you_mean,
    load_yaml,
    shown,
)


def _slug(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]+", text):
        raise ValueError(f"{text!r} becomes part of topics: only letters, digits, '_' and '-'")
    return text


def _host(host: str) -> str:
    """Refuse what is copied from a URL; an IPv6 address has more than one colon."""
    if set(host) & set("/@[]") or host.count(":") == 1:
        raise ValueError(
            "expected a name or an address alone, such as broker.local or ::1; the port is "
            "mqtt.port, encryption mqtt.tls"
        )
    return host


def _password(password: object) -> object:
    """Check it here: the message of a wrong type would quote it."""
    if password is not None and not isinstance(password, str | SecretStr):
        raise ValueError("expected text: write it in quotes")
    return password


def _topic(topic: str) -> str:
    if not topic or set(topic) & set("+#\0 ") or "" in topic.split("/") or topic[0] == "$":
        raise ValueError(
            "expected topic levels such as 'home/ast-edge', without '+', '#' and spaces, "
            f"got {topic!r}"
        )
    return topic


def _path(path: str) -> str:
    if not re.fullmatch(r"/[!-~]*", path):
        raise ValueError(f"expected the path of a websocket such as '/mqtt', got {path!r}")
    return path


def _named(labels: object) -> object:
    """Take a plain list of labels as well: each with the model's own thresholds."""
    return dict.fromkeys(_names(labels)) if isinstance(labels, list) else labels


def _names(labels: list[object]) -> list[str]:
    """Refuse a number among names, which a mapping of names would not show."""
    for label in labels:
        if not isinstance(label, str):
            raise ValueError(f"expected names, got {shown(label)}; write it in quotes")
    return [str(label) for label in labels]


def _grouped(groups: object) -> object:
    """Take short forms as well: "ontology" for the kind of the group's name, a list of members."""
    if isinstance(groups, list):
        groups = dict.fromkeys(_names(groups), "ontology")
    if not isinstance(groups, dict):
        return groups
    sections = {}
    for name, section in groups.items():
        if isinstance(section, list):
            section = {"members": section}
        elif section == "ontology":
            section = {"ontology": [str(name)]}
        elif not isinstance(section, dict):
            raise ValueError(
                f"{name}: expected 'ontology', a list of labels or a mapping, got {shown(section)}"
            )
        sections[name] = section
    return sections


def _listed(value: object) -> object:
    """Take a single word where a list is expected."""
    return [value] if isinstance(value, str) else value


def _period(text: str) -> str:
    parse_period(text)
    return text


def _zone(name: str) -> str:
    find_zone(name)
    return name


def _switched(section: object) -> object:
    """Take true and false for a section that has nothing but a switch."""
    return {"enabled": section} if isinstance(section, bool) else section


def _asked_for(section: object) -> object:
    """Take true and false for a section that is off unless given."""
    return ({} if section else None) if isinstance(section, bool) else section


Slug = Annotated[str, AfterValidator(_slug)]
Probability = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0)]
Names = Annotated[list[str], BeforeValidator(_listed)]
GroupScore = Literal["max", "min", "noisy-or"]
# fmt: off
BinarySensorClass = Literal[
    "carbon_monoxide", "gas", "heat", "moisture", "motion", "moving", "occupancy", "presence",
    "problem", "running", "safety", "smoke", "sound", "tamper", "vibration",
]
# fmt: on


class LabelConfig(Section):
    """How one label becomes events; what is not given comes from the bundle."""

    on: Probability | None = None
    """There is an event when the probability reaches this."""
    off: Probability | None = None
    """It lasts while the probability is above this, pauses of `hold` seconds included."""
    min_duration: Seconds | None = None
    """Shorter sounds are not reported."""
    hold: Seconds | None = None
    """A pause shorter than this does not end an event."""
    cooldown: Seconds | None = None
    """No new event of the label for so long after one has ended."""
    suppress_while: Names = Field(default_factory=list)
    """No event begins while one of these labels and groups is heard; a running one goes on."""
    active: Annotated[
        list[Annotated[str, AfterValidator(_period)]] | None, BeforeValidator(_listed)
    ] = Field(default=None, min_length=1)
    """Events begin only then, in local time: "22:00-06:00", "sat,sun", "mon-fri 08:00-17:00"."""


class GroupConfig(LabelConfig):
    """Labels that are reported as one; what is not given comes from its members' settings."""

    members: Names = Field(default_factory=list)
    """Labels of the bundle."""
    ontology: Names = Field(default_factory=list)
    """Kinds of sound of the AudioSet ontology; the labels of the bundle under them are members."""
    without: Names = Field(default_factory=list)
    """Labels that are no members all the same."""
    score: GroupScore = "max"
    """How the members' probabilities make the group's: the highest, the lowest, or noisy-or, the
    probability of one or more if they were independent."""

    @model_validator(mode="after")
    def _not_empty(self) -> "GroupConfig":
        if not self.members and not self.ontology:
            raise ValueError("give members, ontology or both")
        return self


class EngineConfig(Section):
    """What runs the model."""

    name: Literal["auto", "tensorrt", "openvino", "onnxruntime"] = "auto"
    threads: int = Field(default=0, ge=0)
    """CPU threads; 0 leaves the choice to the engine."""
    precision: Literal["auto", "fp32", "fp16", "bf16"] = "auto"
    """Arithmetic of the engine. On a processor auto is bf16 where it has instructions for that;
    TensorRT always computes what the bundle was made with (fp32 or fp16)."""


class TlsConfig(Section):
    """Encryption to the broker; the certificate is always verified."""

    ca: InputPath | None = None
    """Certificate authority in PEM; the system's unless given."""
    certificate: InputPath | None = None
    """Client certificate in PEM, with `key`."""
    key: InputPath | None = None


class HomeAssistantConfig(Section):
    """How sources and labels appear in Home Assistant by MQTT discovery."""

    enabled: bool = True
    prefix: Annotated[str, AfterValidator(_topic)] = "homeassistant"
    """The discovery prefix that Home Assistant's MQTT integration listens to."""
    status_topic: Annotated[str, AfterValidator(_topic)] = "homeassistant/status"
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


class OutboxConfig(Section):
    """How events wait for the broker."""

    enabled: bool = True
    """Keep them in a file, so that those of a daemon that was killed are sent by the next one;
    else in memory."""
    max_age: float = Field(default=86400, ge=1, le=31536000)
    """Seconds; older events are dropped, here and by the broker (MQTT 5)."""
    max_events: int = Field(default=100_000, ge=1, le=10_000_000)
    """Of more, the oldest are dropped."""


class HistoryConfig(Section):
    """What `ast-edge status --history` shows: the newest events, kept over restarts."""

    enabled: bool = True
    max_events: int = Field(default=10_000, ge=1, le=1_000_000)
    """Of more, the oldest are forgotten; ten thousand take about 5 MB."""


class MqttConfig(Section):
    """The broker and how events are laid out on it."""

    host: Annotated[str, AfterValidator(_host)] = "localhost"
    port: int | None = Field(default=None, ge=1, le=65535)
    """1883, or 8883 with TLS, unless given; over websockets 80 or 443."""
    protocol: Literal["5", "3.1.1"] = "5"
    transport: Literal["tcp", "websockets"] = "tcp"
    """Websockets go through what lets only web traffic pass."""
    path: Annotated[str, AfterValidator(_path)] | None = None
    """Of the websocket, "/mqtt" unless given."""
    username: str | None = None
    password: Annotated[SecretStr | None, BeforeValidator(_password)] = None
    """Better not written here, but `!secret name` or "${NAME}"."""
    password_file: InputPath | None = None
    """First line is the password; without either AST_EDGE_MQTT_PASSWORD of the environment, else
    the systemd credential `mqtt-password`."""
    tls: TlsConfig | None = None
    base_topic: Annotated[str, AfterValidator(_topic)] = "ast-edge"
    keepalive: int = Field(default=30, ge=5, le=3600)
    """Seconds between signs of life; the broker sends the last will after 1.5 times this."""
    embedded: bool = False
    """Start a broker of our own on the loopback interface, for trying things out (MQTT 3.1.1)."""
    echo: bool = False
    """Print each event as a subscriber of the broker receives it."""
    commands: bool = True
    """Follow commands of the broker's clients: thresholds, switches, snooze, restart."""
    home_assistant: Annotated[HomeAssistantConfig, BeforeValidator(_switched)] = (
        HomeAssistantConfig()
    )
    """Discovery by Home Assistant: true, false, or a section with its options."""
    outbox: Annotated[OutboxConfig, BeforeValidator(_switched)] = OutboxConfig()
    """Where events wait for the broker: true, false, or a section with its options."""

    @property
    def port_number(self) -> int:
        """The port, also where none is given."""
        usual = {"tcp": (1883, 8883), "websockets": (80, 443)}[self.transport]
        return self.port or usual[self.tls is not None]

    @model_validator(mode="after")
    def _path_of_a_websocket(self) -> "MqttConfig":
        if self.path is not None and self.transport != "websockets":
            raise ValueError("path is for `transport: websockets`")
        return self


class Config(Section):
    """One configuration file."""

    node: Slug = Field(default_factory=lambda: slugify(socket.gethostname()) or "ast-edge")
    """Name of this machine in topics; the host name unless given."""
    bundle: BundleName = "home"
    """Name of a bundle that comes with ast-edge, or the path of a bundle's folder.
    Sources may have their own."""
    engine: EngineConfig = EngineConfig()
    hop: float = Field(default=0.5, ge=0.05, le=10)
    """Seconds between two looks at the sound."""
    idle_hop: float | None = Field(default=None, ge=0.05, le=10)
    """The same while nothing new sounds and no event runs; `hop` unless given."""
    latency: float = Field(default=LATENCY_SECONDS, ge=0, le=10)
    """Seconds that a model with frame scores listens on before it says what a moment held: less is
    faster, more is surer, up to the length of its window. Other models answer at every look."""
    sources: Annotated[dict[Slug, SourceConfig], Field(min_length=1)]
    labels: Annotated[dict[str, LabelConfig | None], BeforeValidator(_named)] = Field(
        default_factory=dict
    )
    """The labels to report, with or without thresholds; all of the bundle's unless labels or
    groups are given."""
    groups: Annotated[dict[str, GroupConfig], BeforeValidator(_grouped)] = Field(
        default_factory=dict
    )
    """Groups to report, by their names."""
    time_zone: Annotated[str, AfterValidator(_zone)] | None = None
    """Of `active`, such as "Europe/Berlin"; the system's unless given."""
    mqtt: MqttConfig | None = None
    jsonl: OutputPath | None = None
    """Append every event to this file as a line of JSON; /dev/stdout prints them."""
    history: Annotated[HistoryConfig, BeforeValidator(_switched)] = HistoryConfig()
    """Events of the past, kept in the state folder: true, false, or a section with its options."""
    metrics: Annotated[MetricsConfig | None, BeforeValidator(_asked_for)] = None
    """Numbers for Prometheus: true, false, or a section with the address; off unless given."""
    clips: ClipsConfig | None = None
    """Keep the sound of events; no sound is ever written unless given."""
    tuned: Tuned | None = None
    """On what the labels' settings were chosen: written by `ast-edge tune`, and changes nothing."""

    @model_validator(mode="after")
    def _one_standard_input(self) -> "Config":
        readers = [name for name, source in self.sources.items() if source.stdin]
        if len(readers) > 1:
            raise ValueError(f"sources: only one can read standard input, got {', '.join(readers)}")
        return self

    @model_validator(mode="after")
    def _known_sources(self) -> "Config":
        section = self.mqtt.home_assistant if self.mqtt else HomeAssistantConfig()
        for key, names in (("names", section.names), ("areas", section.areas)):
            for name in names.keys() - self.sources.keys():
                raise ValueError(
                    f"mqtt.home_assistant.{key}: no source {name!r}"
                    f"{did_you_mean(name, list(self.sources))}"
                )
        return self

    @property
    def bundles(self) -> dict[str, str]:
        """The bundle of each source, by its name or path."""
        sources = self.sources.items()
        return {n: self.bundle if own.bundle is None else own.bundle for n, own in sources}


def load_config(path: Path) -> Config:
    """Read and validate a configuration file.

    Raises:
        ConfigError: in one line with the file, the key path and, for a typo, the nearest match.
    """
    return load_yaml(path, Config)
