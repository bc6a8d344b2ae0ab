"""Groups of labels: "any dog sound", "any alarm"."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ast_edge.base.errors import BundleError, ConfigError
from ast_edge.detection.config import GroupConfig, GroupScore
from ast_edge.model.bundle import Bundle
from ast_edge.model.label import Label
from ast_edge.model.label_settings import TrackerSettings
from ast_edge.model.ontology import load_ontology

RESERVED = {"set"}
"""Slugs whose topics would be those of commands."""


@dataclass(frozen=True)
class Group(Label):
    """A label of our own: its column comes after the model's and is made of its members'."""

    members: tuple[Label, ...] = field(hash=False)  # hundreds, perhaps, and looked up often
    """In the order of the bundle; at least one."""
    score: GroupScore

    @cached_property
    def columns(self) -> NDArray[np.intp]:
        """Those of the members (members,)."""
        return np.array([member.index for member in self.members], np.intp)

    def combine(self, probabilities: Sequence[float] | NDArray[np.float32]) -> float:
        """Make the group's probability of those of its members (members,)."""
        values = np.asarray(probabilities, np.float64)
        if self.score == "noisy-or":  # one or more of them, if they were independent
            return float(1 - np.prod(1 - values))
        return float(values.max() if self.score == "max" else values.min())

    def default_settings(self, settings: Mapping[Label, TrackerSettings]) -> TrackerSettings:
        """Return what holds unless the user says otherwise, made of the members' settings.

        The lowest `on`, `min_duration` and `cooldown` and the longest `hold`: what is an event of a
        member is one of the group. `off` is the group's probability when every member's is at its
        own `off`, so that much background noise together does not keep a group on.
        """
        members = [settings[label] for label in self.members]
        on = min(one.on for one in members)
        return TrackerSettings(
            on=on,
            off=min(on, round(self.combine([one.off for one in members]), 3)),
            min_duration=min(one.min_duration for one in members),
            hold=max(one.hold for one in members),
            cooldown=min(one.cooldown for one in members),
        )


def with_groups(probabilities: NDArray[np.float32], groups: Sequence[Group]) -> NDArray[np.float32]:
    """Append the groups' probabilities to the model's: (labels,) becomes (labels + groups,)."""
    if not groups:
        return probabilities
    scores = [group.combine(probabilities[group.columns]) for group in groups]
    return np.concatenate([probabilities, np.array(scores, np.float32)])


def find_groups(configs: Mapping[str, GroupConfig], bundle: Bundle) -> list[Group]:
    """Resolve groups against a bundle, in the order of their columns.

    Raises:
        ConfigError: for an unknown label or kind of sound, with the nearest match, for a group
            without members, and for two groups or a group and a topic with the same name.
    """
    groups: list[Group] = []
    for name, config in configs.items():
        try:
            members = tuple(_members(config, bundle))
        except (BundleError, ConfigError) as exc:
            raise ConfigError(f"groups.{name}: {exc}") from exc
        group = Group(len(bundle.labels) + len(groups), name, "", members, config.score)
        same = next((other.name for other in groups if other.slug == group.slug), None)
        if same:
            raise ConfigError(f"groups.{name}: has the same topic as the group {same!r}")
        if not group.slug or group.slug in RESERVED:
            raise ConfigError(f"groups.{name}: no topic can be made of this name; choose another")
        groups.append(group)
    return groups


def find_members(config: GroupConfig, bundle: Bundle) -> list[Label]:
    """Return the labels of a group in the order of the bundle; there may be none.

    Raises:
        BundleError: for an unknown label, with the nearest match.
        ConfigError: for an unknown kind of sound.
    """
    ontology = load_ontology()
    mids = {m for kind in config.ontology for m in ontology.under(ontology.find(kind))}
    named = {bundle.label(name) for name in config.members}
    excluded = {bundle.label(name) for name in config.without}
    return [
        label
        for label in bundle.labels
        if (label in named or label.mid in mids) and label not in excluded
    ]


def _members(config: GroupConfig, bundle: Bundle) -> list[Label]:
    members = find_members(config, bundle)
    if not members:
        kinds = " or ".join(map(repr, config.ontology))
        missing = f"{bundle.name!r} has no label under {kinds}; name members or another kind"
        raise ConfigError("`without` leaves no member" if config.without else missing)
    return members
