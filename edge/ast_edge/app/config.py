"""The configuration: one YAML file is one tree of frozen models."""

import hashlib
import socket
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from ast_edge.app.source_config import BundleName, SourceConfig
from ast_edge.base.config_values import Slug, asked_for, switched
from ast_edge.base.secret_values import masked
from ast_edge.base.transliteration import slugify
from ast_edge.base.yaml_file import OutputPath, Section, did_you_mean, load_yaml
from ast_edge.detection.aggregator import LATENCY_SECONDS
from ast_edge.detection.config import GroupConfig, LabelConfig, grouped, named
from ast_edge.detection.schedule import find_zone
from ast_edge.detection.tuned import Tuned
from ast_edge.engines.config import EngineConfig
from ast_edge.fleet.config import UpdatesConfig, listed_places
from ast_edge.monitoring.config import MetricsConfig
from ast_edge.monitoring.web_config import WebConfig
from ast_edge.mqtt.config import MqttConfig
from ast_edge.mqtt.home_assistant_config import HomeAssistantConfig
from ast_edge.outputs.config import ClipsConfig, HistoryConfig

_IDENTITY = {"username", "password", "password_file", "tls"}


def _zone(name: str) -> str:
    find_zone(name)
    return name


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
    labels: Annotated[dict[str, LabelConfig | None], BeforeValidator(named)] = Field(
        default_factory=dict
    )
    """The labels to report, with or without thresholds; all of the bundle's unless labels or
    groups are given."""
    groups: Annotated[dict[str, GroupConfig], BeforeValidator(grouped)] = Field(
        default_factory=dict
    )
    """Groups to report, by their names."""
    time_zone: Annotated[str, AfterValidator(_zone)] | None = None
    """Of `active`, such as "Europe/Berlin"; the system's unless given."""
    mqtt: MqttConfig | None = None
    jsonl: OutputPath | None = None
    """Append every event to this file as a line of JSON; /dev/stdout prints them."""
    history: Annotated[HistoryConfig, BeforeValidator(switched)] = HistoryConfig()
    """Events of the past, kept in the state folder: true, false, or a section with its options."""
    metrics: Annotated[MetricsConfig | None, BeforeValidator(asked_for)] = None
    """Numbers for Prometheus: true, false, or a section with the address; off unless given."""
    web: Annotated[WebConfig | None, BeforeValidator(asked_for)] = None
    """A page that shows what is heard: true, false, or a section; off unless given."""
    updates: Annotated[UpdatesConfig | None, BeforeValidator(listed_places)] = None
    """Where bundles may come from that others point this node to: an address, a list, or a section;
    off unless given. What comes takes the place of `bundle`."""
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
    def fingerprint(self) -> str:
        """A hash of everything but the node's name and what proves it to the broker.

        What else is secret stands in it as what hides it. So nodes that are configured alike have
        the same, and nobody can guess a secret by it.
        """
        text = masked(self.model_dump_json(exclude={"node": True, "mqtt": _IDENTITY}))
        return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()

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
