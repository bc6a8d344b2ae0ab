"""The configuration of the broker and of how events wait for it."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

from ast_edge.base.config_values import switched
from ast_edge.base.yaml_file import InputPath, Section
from ast_edge.mqtt.home_assistant_config import HomeAssistantConfig, Topic


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


def _path(path: str) -> str:
    if not re.fullmatch(r"/[!-~]*", path):
        raise ValueError(f"expected the path of a websocket such as '/mqtt', got {path!r}")
    return path


class TlsConfig(Section):
    """Encryption to the broker; the certificate is always verified."""

    ca: InputPath | None = None
    """Certificate authority in PEM; the system's unless given."""
    certificate: InputPath | None = None
    """Client certificate in PEM, with `key`."""
    key: InputPath | None = None


class OutboxConfig(Section):
    """How events wait for the broker."""

    enabled: bool = True
    """Keep them in a file, so that those of a daemon that was killed are sent by the next one;
    else in memory."""
    max_age: float = Field(default=86400, ge=1, le=31536000)
    """Seconds; older events are dropped, here and by the broker (MQTT 5)."""
    max_events: int = Field(default=100_000, ge=1, le=10_000_000)
    """Of more, the oldest are dropped."""


class MqttConfig(Section):
    """The broker and how events are laid out on it."""

    host: Annotated[str, AfterValidator(_host)] = "localhost"
    supervisor: bool = False
    """Ask Home Assistant's Supervisor, at every connection, for host, port, user name and password;
    for its apps."""
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
    base_topic: Topic = "ast-edge"
    keepalive: int = Field(default=30, ge=5, le=3600)
    """Seconds between signs of life; the broker sends the last will after 1.5 times this."""
    embedded: bool = False
    """Start a broker of our own on the loopback interface, for trying things out (MQTT 3.1.1)."""
    echo: bool = False
    """Print each event as a subscriber of the broker receives it."""
    commands: bool = True
    """Follow commands of the broker's clients: thresholds, switches, snooze, restart."""
    home_assistant: Annotated[HomeAssistantConfig, BeforeValidator(switched)] = (
        HomeAssistantConfig()
    )
    """Discovery by Home Assistant: true, false, or a section with its options."""
    outbox: Annotated[OutboxConfig, BeforeValidator(switched)] = OutboxConfig()
    """Where events wait for the broker: true, false, or a section with its options."""

    @property
    def port_number(self) -> int:
        """The port, also where none is given."""
        usual = {"tcp": (1883, 8883), "websockets": (80, 443)}[self.transport]
        return self.port or usual[self.tls is not None]

    @model_validator(mode="after")
    def _one_who_tells(self) -> "MqttConfig":
        told = {"host", "port", "username", "password", "password_file", "tls", "embedded"}
        if self.supervisor and (given := sorted(told & self.model_fields_set)):
            raise ValueError(f"supervisor tells {given[0]}: give one of the two")
        return self

    @model_validator(mode="after")
    def _path_of_a_websocket(self) -> "MqttConfig":
        if self.path is not None and self.transport != "websockets":
            raise ValueError("path is for `transport: websockets`")
        return self
