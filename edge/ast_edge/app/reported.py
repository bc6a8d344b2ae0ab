"""What is reported of a bundle: labels and groups, how each becomes events, and when."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import tzinfo

from ast_edge.app.wishes import Wishes
from ast_edge.base.errors import BundleError, ConfigError
from ast_edge.base.yaml_file import did_you_mean
from ast_edge.detection.config import GroupConfig, LabelConfig
from ast_edge.detection.groups import Group, find_groups
from ast_edge.detection.rules import Rule
from ast_edge.detection.schedule import Schedule, parse_period
from ast_edge.model.bundle import Bundle
from ast_edge.model.label import Label
from ast_edge.model.label_settings import TrackerSettings, override


@dataclass(frozen=True)
class Reported:
    """The wishes of a configuration, resolved against a bundle."""

    settings: dict[Label, TrackerSettings]
    """The labels to report, in the order of the bundle, then the groups."""
    rules: dict[Label, Rule] = field(default_factory=dict)
    """Of those labels and groups that have one."""


def find_reported(wishes: Wishes, bundle: Bundle, zone: tzinfo | None = None) -> Reported:
    """Resolve what is wished; hours are of the time zone, the system's unless given.

    Raises:
        ConfigError: for anything that the bundle lacks, in one line with the key path.
    """
    groups = dict(zip(wishes.groups, find_groups(wishes.groups, bundle), strict=True))
    settings = {}
    if wishes.labels or wishes.everything:
        settings = label_settings(bundle, wishes.labels)
    settings |= group_settings(bundle, wishes.groups, groups, settings)
    return Reported(settings, _rules(wishes, bundle, groups, zone))


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


def _rules(
    wishes: Wishes, bundle: Bundle, groups: Mapping[str, Group], zone: tzinfo | None
) -> dict[Label, Rule]:
    """Resolve when events may begin."""
    sections = [(f"labels.{n}", bundle.label(n), wishes.labels[n]) for n in wishes.labels]
    sections += [(f"groups.{n}", group, wishes.groups[n]) for n, group in groups.items()]
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
