"""A configuration resolved against its bundle: what will be listened for, and how."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ast_edge.bundle import Bundle, find_bundle, load_bundle
from ast_edge.config import Config, LabelConfig, load_config
from ast_edge.credentials import broker_password, tls_context
from ast_edge.errors import BundleError, ConfigError
from ast_edge.events import Label
from ast_edge.tracker import TrackerSettings, override


@dataclass(frozen=True)
class Plan:
    """What `ast-edge run` runs."""

    config: Config
    bundle: Bundle
    settings: dict[Label, TrackerSettings]
    """The labels to report, in the order of the bundle."""


def load_plan(path: Path) -> Plan:
    """Read a configuration and the bundle it names.

    Raises:
        ConfigError: for anything in the file that cannot be, in one line with the key path.
        BundleError: if the bundle is damaged.
    """
    config = load_config(path)
    try:
        folder = find_bundle(config.bundle)
    except BundleError as exc:
        raise ConfigError(f"{path}: bundle: {exc}") from exc
    bundle = load_bundle(folder)
    try:
        check_hop(bundle, config.hop)
        _check_outputs(config)
        settings = label_settings(bundle, config.labels)
    except ConfigError as exc:
        raise ConfigError(f"{path}: {exc}") from exc
    return Plan(config, bundle, settings)


def _check_outputs(config: Config) -> None:
    """Try passwords, certificates and the place of the event file before anything is started."""
    if config.mqtt:
        broker_password(config.mqtt)
        if config.mqtt.tls:
            tls_context(config.mqtt.tls)
    if config.jsonl and (config.jsonl.is_dir() or not config.jsonl.parent.is_dir()):
        raise ConfigError(f"jsonl: expected a file in a folder that exists, got {config.jsonl}")


def check_hop(bundle: Bundle, hop: float) -> None:
    """Refuse a hop that leaves sound between two windows unheard.

    Raises:
        ConfigError: if the hop is longer than the window.
    """
    if hop > bundle.window_seconds:
        raise ConfigError(
            f"hop: {hop:g} s is longer than the {bundle.window_seconds:.2f} s that {bundle.name!r} "
            "hears at once, so sounds would be missed; use a shorter one"
        )


def label_settings(
    bundle: Bundle, labels: Mapping[str, LabelConfig | None]
) -> dict[Label, TrackerSettings]:
    """Combine the bundle's settings with the user's; all labels unless some are named.

    Raises:
        ConfigError: for an unknown label, with the nearest match, or an `off` above `on`.
    """
    if not labels:
        return dict(bundle.settings)
    chosen = {}
    for name, changes in labels.items():
        try:
            label = bundle.label(name)
        except BundleError as exc:
            raise ConfigError(f"labels.{name}: {exc}") from exc
        if label in chosen:
            raise ConfigError(f"labels.{name}: {label.name!r} is given twice")
        try:
            given = changes.model_dump() if changes else {}
            chosen[label] = override(bundle.settings[label], **given)
        except ValueError as exc:
            raise ConfigError(f"labels.{name}: {exc}") from exc
    return {label: chosen[label] for label in bundle.labels if label in chosen}
