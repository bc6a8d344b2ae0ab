"""The options of the Home Assistant app: what they ask for, as a configuration in memory."""

import json
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from ast_edge.base.config_values import Slug
from ast_edge.base.errors import ConfigError
from ast_edge.base.text_file import read_text
from ast_edge.base.yaml_file import Section, parse_tree, read_tree, shown

Tree = dict[str, Any]

PAGE = "0.0.0.0:8099"
"""Where the page listens; `ingress_port` of the app's config.yaml."""
CLIPS = "/media/ast-edge"


class StreamOption(Section):
    """A camera, or another stream."""

    name: Slug
    url: str


class AppOptions(Section):
    """The form that Home Assistant shows; its words are those of the app's config.yaml."""

    name: Slug = "home-assistant"
    """Of this machine in topics."""
    microphone: str = "default"
    """The one of the app's audio settings, another's name or a part of it; empty for none."""
    room: Slug = "room"
    """Where that microphone is: the name of its source."""
    streams: list[StreamOption] = Field(default_factory=list)
    labels: list[str] = Field(default_factory=list)
    """All that the model knows unless given."""
    clips_days: int = Field(default=0, ge=0, le=365)
    """For how long the sound of events is kept in the media folder; 0 keeps none."""
    page_changes: bool = True
    """Whether those who see the page may change thresholds and review events."""
    verbose: bool = False

    @field_validator("microphone")
    @classmethod
    def _trimmed(cls, name: str) -> str:
        return name.strip()

    def sources(self) -> Tree:
        """Return the sources that they stand for.

        Raises:
            ConfigError: there is nothing to listen to, or two of one name.
        """
        sources: Tree = {self.room: {"microphone": self.microphone}} if self.microphone else {}
        for stream in self.streams:
            if stream.name in sources:
                raise ConfigError(f"streams: the name {stream.name!r} is taken: give another")
            sources[stream.name] = {"url": stream.url}
        if not sources:
            raise ConfigError("there is neither a microphone nor a stream: give one of them")
        return sources

    def settings(self) -> Tree:
        """Return the rest of the configuration that they stand for, without broker and page."""
        tree: Tree = {"node": self.name}
        if self.labels:
            tree["labels"] = list(self.labels)
        if self.clips_days:
            tree["clips"] = {"folder": CLIPS, "max_age": self.clips_days * 86400}
        return tree


def read_options(path: Path) -> AppOptions:
    """Read what the Supervisor has written of the form.

    Raises:
        ConfigError: it cannot be read, or is not what the form gives.
    """
    try:
        found = json.loads(read_text(path))
    except OSError as exc:
        raise ConfigError(
            f"{path}: cannot be read: {exc.strerror}; the Supervisor writes it for its apps"
        ) from exc
    except (ValueError, RecursionError) as exc:
        raise ConfigError(f"{path}: is not JSON: {exc}") from exc
    if not isinstance(found, dict):
        raise ConfigError(f"{path}: expected an object, got {shown(found)}")
    # What the form leaves empty comes as null.
    return parse_tree({k: v for k, v in found.items() if v is not None}, AppOptions, path)


def configuration(options: AppOptions, own: Path | None) -> Tree:
    """Return the configuration of the options, in which the user's own file wins.

    What the file has takes the place of what the options ask for; of broker and page, what it
    leaves out stays. The broker is asked of the Supervisor unless the file names one.

    Raises:
        ConfigError: the file is no configuration, or there is nothing to listen to.
    """
    given = {} if own is None else _read_own(own)
    tree = options.settings() | given
    if "sources" not in given:
        tree["sources"] = options.sources()
    tree["mqtt"] = _broker(given.get("mqtt", {}))
    page = {"listen": PAGE, "ingress": True}
    tree["web"] = _page(given.get("web", {}), {"changes": options.page_changes}, page)
    return tree


def _read_own(path: Path) -> Tree:
    given = read_tree(path)
    if given is None:  # all of it is comments
        return {}
    if not isinstance(given, dict):
        raise ConfigError(f"{path}: expected a mapping of settings, got {shown(given)}")
    return given


def _broker(own: object) -> object:
    """Complete the user's section, unless it names a broker or is no section."""
    if not isinstance(own, dict) or own.keys() & {"host", "embedded", "supervisor"}:
        return own
    return {"supervisor": True} | own


def _page(own: object, usual: Tree, fixed: Tree) -> object:
    """Complete the user's section, in which nobody can change how ingress reaches the page."""
    if own is True:
        own = {}
    return usual | own | fixed if isinstance(own, dict) else own
