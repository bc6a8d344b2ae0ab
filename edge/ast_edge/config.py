"""The configuration: one YAML file is one tree of frozen models."""

import os
import re
import socket
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from ast_edge.errors import ConfigError
from ast_edge.events import slugify


def _beside_the_file(path: Path, info: ValidationInfo) -> Path:
    """Resolve a path against the folder of the configuration file, not the working directory."""
    folder: Path = (info.context or {}).get("folder", Path())
    return folder / path.expanduser()


def _existing(path: Path, info: ValidationInfo) -> Path:
    found = _beside_the_file(path, info)
    if not found.is_file():
        raise ValueError(f"no such file: {found}")
    return found


def _slug(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]+", text):
        raise ValueError(f"{text!r} becomes part of topics: only letters, digits, '_' and '-'")
    return text


OutputPath = Annotated[Path, AfterValidator(_beside_the_file)]
InputPath = Annotated[Path, AfterValidator(_existing)]
Slug = Annotated[str, AfterValidator(_slug)]
Probability = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0)]


class Section(BaseModel):
    """A mapping in the file: immutable, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class SourceConfig(Section):
    """Where one source takes its sound from: exactly one of microphone, file and stdin."""

    microphone: str | None = None
    """Name of an input device as `ast-edge devices` prints it, a part of it, or "default"."""
    file: InputPath | None = None
    """A recording: WAV, FLAC, OGG or MP3."""
    stdin: Literal["s16le", "f32le"] | None = None
    """Raw little-endian PCM on standard input, interleaved."""
    sample_rate: int | None = Field(default=None, ge=1000, le=384000)
    """Hertz. Of stdin (16000 unless given), or to ask a microphone for (its own unless given)."""
    channels: int | None = Field(default=None, ge=1, le=64)
    """Channels of stdin (1 unless given), or to open of a microphone; mixed to mono."""
    pace: Literal["realtime", "fast"] = "realtime"
    """How a file plays: like a microphone, or as fast as it can be processed."""
    stall_timeout: Seconds = 3.0
    """A microphone that delivers nothing for this long is closed and opened again."""

    @model_validator(mode="after")
    def _one_kind(self) -> "SourceConfig":
        kinds = [k for k in ("microphone", "file", "stdin") if getattr(self, k) is not None]
        if len(kinds) != 1:
            raise ValueError(
                f"give exactly one of microphone, file and stdin, got {', '.join(kinds) or 'none'}"
            )
        return self


class LabelConfig(Section):
    """How one label becomes events; what is not given comes from the bundle."""

    on: Probability | None = None
    """An event starts when the probability reaches this."""
    off: Probability | None = None
    """An event ends when the probability has stayed below this for `hold` seconds."""
    min_duration: Seconds | None = None
    """Shorter sounds are not reported."""
    hold: Seconds | None = None
    """A pause shorter than this does not end an event."""
    cooldown: Seconds | None = None
    """No new event of the label for so long after one has ended."""


class EngineConfig(Section):
    """What runs the model."""

    name: Literal["auto", "openvino", "onnxruntime"] = "auto"
    threads: int = Field(default=0, ge=0)
    """CPU threads; 0 leaves the choice to the engine."""
    precision: Literal["auto", "f32", "bf16"] = "auto"
    """Arithmetic of the engine; auto is bf16 where the processor has instructions for it."""


class TlsConfig(Section):
    """Encryption to the broker; the certificate is always verified."""

    ca: InputPath | None = None
    """Certificate authority in PEM; the system's unless given."""
    certificate: InputPath | None = None
    """Client certificate in PEM, with `key`."""
    key: InputPath | None = None


class MqttConfig(Section):
    """The broker and how events are laid out on it."""

    host: str = "localhost"
    port: int | None = Field(default=None, ge=1, le=65535)
    """1883, or 8883 with TLS, unless given."""
    protocol: Literal["5", "3.1.1"] = "5"
    username: str | None = None
    password_file: InputPath | None = None
    """First line is the password. Else the environment variable AST_EDGE_MQTT_PASSWORD is read."""
    tls: TlsConfig | None = None
    base_topic: Annotated[str, Field(pattern=r"^[^/#+\s][^#+\s]*[^/#+\s]$")] = "ast-edge"
    keepalive: int = Field(default=30, ge=5, le=3600)
    """Seconds between signs of life; the broker sends the last will after 1.5 times this."""
    embedded: bool = False
    """Start a broker of our own on the loopback interface, for trying things out (MQTT 3.1.1)."""
    echo: bool = False
    """Print each event as a subscriber of the broker receives it."""


class Config(Section):
    """One configuration file."""

    node: Slug = Field(default_factory=lambda: slugify(socket.gethostname()) or "ast-edge")
    """Name of this machine in topics; the host name unless given."""
    bundle: str = "home"
    """Name of a bundle that comes with ast-edge, or the path of a bundle's folder."""
    engine: EngineConfig = EngineConfig()
    hop: float = Field(default=0.5, ge=0.05, le=10)
    """Seconds between two looks at the sound."""
    sources: Annotated[dict[Slug, SourceConfig], Field(min_length=1)]
    labels: dict[str, LabelConfig | None] = {}
    """The labels to report and their thresholds; all of the bundle's unless given."""
    mqtt: MqttConfig | None = None
    jsonl: OutputPath | None = None
    """Append every event to this file as a line of JSON; /dev/stdout prints them."""


class _Loader(yaml.SafeLoader):
    """Read YAML as version 1.2 does: `on`, `off`, `yes` and `no` are words, not booleans.

    A key given twice is an error, where PyYAML would keep the last one silently.
    """

    yaml_implicit_resolvers = {  # noqa: RUF012 (PyYAML's own class attribute)
        first: [(tag, regex) for tag, regex in resolvers if tag != "tag:yaml.org,2002:bool"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if key is None:
                continue  # a list or mapping as key: refused by the validation, in its own words
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} is given twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))


def load_config(path: Path) -> Config:
    """Read and validate a configuration file.

    Raises:
        ConfigError: in one line with the file, the key path and, for a typo, the nearest match.
    """
    try:
        tree = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 (a SafeLoader)
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{path}: is not UTF-8 text (byte {exc.start})") from exc
    except yaml.YAMLError as exc:
        raise ConfigError(f"{path}: is not YAML: {_one_line(exc)}") from exc
    if not isinstance(tree, dict):
        raise ConfigError(f"{path}: expected a mapping with the key 'sources', got {tree!r:.60}")
    try:
        config = Config.model_validate(tree, context={"folder": path.parent})
    except ValidationError as exc:
        raise ConfigError(f"{path}: {_first_problem(exc)}") from exc
    if os.sep in config.bundle:
        folder = path.parent / Path(config.bundle).expanduser()
        config = config.model_copy(update={"bundle": str(folder)})
    return config


def _one_line(exc: yaml.YAMLError) -> str:
    """Say what is wrong and where, without PyYAML's quotation of the lines around it."""
    mark, problem = getattr(exc, "problem_mark", None), getattr(exc, "problem", None)
    if mark is None or problem is None:
        return " ".join(str(exc).split())
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}"


def _first_problem(exc: ValidationError) -> str:
    """Say the first problem as `key.path: what is wrong`."""
    errors = exc.errors(include_url=False)
    # A typo shows as an unknown key and perhaps a missing one: the unknown key explains both.
    error = next((e for e in errors if e["type"] == "extra_forbidden"), errors[0])
    where = ".".join(str(part) for part in error["loc"] if part != "[key]")
    if error["type"] == "extra_forbidden":
        key = str(error["loc"][-1])
        return f"{where}: unknown key{did_you_mean(key, _keys_at(error['loc'][:-1]))}"
    message = error["msg"].removeprefix("Value error, ").removeprefix("Input ")
    if error["type"] in ("missing", "value_error"):
        return f"{where}: {message}" if where else message
    return f"{where}: {message}, got {error['input']!r:.60}"


def _keys_at(path: tuple[str | int, ...]) -> list[str]:
    """List the keys that the section at `path` knows."""
    section: type[Section] = Config
    parts = iter(path)
    for part in parts:
        annotation = section.model_fields[str(part)].annotation
        section = next(t for t in _types_in(annotation) if issubclass(t, Section))
        if get_origin(annotation) is dict:
            next(parts, None)  # the user's own name of a source or a label
    return list(section.model_fields)


def _types_in(annotation: object) -> Iterator[type]:
    if isinstance(annotation, type):
        yield annotation
    for argument in get_args(annotation):
        yield from _types_in(argument)


def did_you_mean(word: str, known: list[str]) -> str:
    """Return `, did you mean 'x'?`, or the list of what is known when nothing is near."""
    by_fold = {k.casefold(): k for k in known}
    near = get_close_matches(word.casefold(), by_fold, n=1, cutoff=0.6)
    if near:
        return f", did you mean {by_fold[near[0]]!r}?"
    return f"; known are {', '.join(known)}" if known else ""
