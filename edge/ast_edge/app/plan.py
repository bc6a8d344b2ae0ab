"""A configuration resolved against its bundle: what will be listened for, and how."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from ast_edge.app.config import Config, load_config
from ast_edge.base.errors import BundleError, ConfigError
from ast_edge.base.host_name import check_host
from ast_edge.base.yaml_file import did_you_mean
from ast_edge.detection.config import GroupConfig, LabelConfig
from ast_edge.detection.groups import Group, find_groups
from ast_edge.detection.hearing import Hearing
from ast_edge.detection.rules import Rule
from ast_edge.detection.schedule import Schedule, find_zone, parse_period
from ast_edge.home_assistant.discovery import device_classes
from ast_edge.model.bundle import Bundle, find_bundle, load_bundle
from ast_edge.model.label import Label
from ast_edge.model.label_settings import TrackerSettings, override
from ast_edge.mqtt.credentials import broker_password, fingerprint, tls_context
from ast_edge.outputs.clips import check_clips


@dataclass(frozen=True)
class Plan:
    """What `ast-edge run` runs."""

    config: Config
    bundle: Bundle
    settings: dict[Label, TrackerSettings]
    """The labels to report, in the order of the bundle, then the groups."""
    rules: dict[Label, Rule] = field(default_factory=dict)
    """Of those labels and groups that have one."""
    credentials: str = field(default="", repr=False)
    """The `fingerprint` of what proves us to the broker."""

    def hearing(self, source: str) -> Hearing:
        """Return how a source is listened to."""
        config, own = self.config, self.config.sources[source]
        return Hearing(
            self.bundle,
            self.settings,
            config.hop if own.hop is None else own.hop,
            config.latency if own.latency is None else own.latency,
            config.idle_hop if own.idle_hop is None else own.idle_hop,
            self.rules,
            own.conditioning,
            own.gate_settings,
        )

    def hearing_of(self, source: str | None) -> Hearing:
        """Return how recordings are listened to: as a source is, or as all sources are.

        The channel is chosen here, whoever chooses it of the source.

        Raises:
            ConfigError: there is no such source, or they differ and none is named.
        """
        known = {}
        for name, own in self.config.sources.items():
            conditioning = replace(own.conditioning, channel=own.channel)
            known[name] = replace(self.hearing(name), conditioning=conditioning)
        if source is None:
            first, *others = known.values()
            if any(other != first for other in others):
                raise ConfigError(
                    "the sources of the configuration are listened to in different ways: choose "
                    f"one by --source {' or '.join(known)}"
                )
            return first
        if source not in known:
            raise ConfigError(f"--source: no source {source!r}{did_you_mean(source, list(known))}")
        return known[source]


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
        _check_hops(bundle, config)
        _check_outputs(config)
        groups = dict(zip(config.groups, find_groups(config.groups, bundle), strict=True))
        settings = {} if groups and not config.labels else label_settings(bundle, config.labels)
        settings |= group_settings(bundle, config.groups, groups, settings)
        rules = _rules(config, bundle, groups)
        if config.clips:
            check_clips(config.clips, list(settings))
        if config.mqtt:
            device_classes(config.mqtt.home_assistant, list(settings))
        credentials = fingerprint(config.mqtt) if config.mqtt else ""
    except ConfigError as exc:
        raise ConfigError(f"{path}: {exc}") from exc
    return Plan(config, bundle, settings, rules, credentials)


def _check_outputs(config: Config) -> None:
    """Try passwords, certificates and the place of the event file before anything is started."""
    if config.mqtt:
        check_host(config.mqtt.host, "mqtt.host")
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


def check_idle_hop(bundle: Bundle, hop: float, idle_hop: float | None) -> None:
    """Refuse an idle hop that leaves sound unheard, or that is none.

    Raises:
        ConfigError: if it is longer than the window, or shorter than the hop.
    """
    if idle_hop is not None and not hop <= idle_hop <= bundle.window_seconds:
        raise ConfigError(
            f"idle_hop: expected {hop:g} s (hop) to the {bundle.window_seconds:.2f} s that "
            f"{bundle.name!r} hears at once, got {idle_hop:g} s"
        )


def _check_hops(bundle: Bundle, config: Config) -> None:
    """Refuse hops of all sources, or of one, that cannot be."""
    check_hop(bundle, config.hop)
    check_idle_hop(bundle, config.hop, config.idle_hop)
    for name, own in config.sources.items():
        hop = config.hop if own.hop is None else own.hop
        try:
            check_hop(bundle, hop)
            check_idle_hop(bundle, hop, config.idle_hop if own.idle_hop is None else own.idle_hop)
        except ConfigError as exc:
            raise ConfigError(f"sources.{name}.{exc}") from exc


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
            chosen[label] = override(bundle.settings[label], **_given(changes))
        except ValueError as exc:
            raise ConfigError(f"labels.{name}: {exc}") from exc
    return {label: chosen[label] for label in bundle.labels if label in chosen}


def group_settings(
    bundle: Bundle,
    configs: Mapping[str, GroupConfig],
    groups: Mapping[str, Group],
    labels: Mapping[Label, TrackerSettings],
) -> dict[Label, TrackerSettings]:
    """Combine the settings of the groups' members with the user's, beside those of `labels`.

    Raises:
        ConfigError: for a group with the topic of a label, or an `off` above `on`.
    """
    chosen: dict[Label, TrackerSettings] = {}
    topics = {label.slug: label.name for label in labels}
    for name, group in groups.items():
        if group.slug in topics:
            raise ConfigError(
                f"groups.{name}: has the same topic as the label {topics[group.slug]!r}, which is "
                f"reported too; give it another name, such as 'Any {name}', or remove the label"
            )
        members = group.default_settings({**bundle.settings, **labels})
        try:
            chosen[group] = override(members, **_given(configs[name]))
        except ValueError as exc:
            raise ConfigError(f"groups.{name}: {exc}") from exc
    return chosen


def _given(changes: LabelConfig | None) -> dict[str, float | None]:
    """Return what a section says about thresholds and durations."""
    return {one.name: getattr(changes, one.name, None) for one in fields(TrackerSettings)}


def _rules(config: Config, bundle: Bundle, groups: Mapping[str, Group]) -> dict[Label, Rule]:
    """Resolve when events may begin."""
    zone = find_zone(config.time_zone) if config.time_zone else None
    sections = [(f"labels.{n}", bundle.label(n), config.labels[n]) for n in config.labels]
    sections += [(f"groups.{n}", group, config.groups[n]) for n, group in groups.items()]
    rules = {}
    for where, label, section in sections:
        if section is None:
            continue
        periods = tuple(map(parse_period, section.active or ()))
        active = Schedule(periods, zone) if periods else None
        others = [
            _find(f"{where}.suppress_while", n, bundle, groups) for n in section.suppress_while
        ]
        for other in others:
            if _parts(label) <= _parts(other):
                raise ConfigError(
                    f"{where}.suppress_while: {other.name!r} is heard whenever {label.name!r} is, "
                    "so this would never be reported"
                )
        if active or others:
            rules[label] = Rule(active, tuple(others))
    return rules


def _find(where: str, name: str, bundle: Bundle, groups: Mapping[str, Group]) -> Label:
    """Find a group or, if there is none of the name, a label of the bundle."""
    candidates = [*groups.values(), *bundle.labels]
    for label in candidates:
        if name in (label.name, label.slug):
            return label
    known = [label.name for label in candidates]
    raise ConfigError(
        f"{where}: {name!r} is not a label of {bundle.name!r} or a group{did_you_mean(name, known)}"
    )


def _parts(label: Label) -> set[Label]:
    """Return the labels that make up a label or group, each of which alone is enough for it."""
    if not isinstance(label, Group):
        return {label}
    return set(label.members) if label.score != "min" or len(label.members) == 1 else {label}
