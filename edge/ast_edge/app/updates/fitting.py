"""A configuration without what no bundle of now hears."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ast_edge.app.config import Config
from ast_edge.base.errors import BundleError, ConfigError
from ast_edge.base.transliteration import slugify
from ast_edge.detection.config import GroupConfig, LabelConfig
from ast_edge.detection.groups import find_members
from ast_edge.model.bundle import Bundle

AnySection = TypeVar("AnySection", bound=LabelConfig)
Knows = Callable[[str], bool]


@dataclass(frozen=True)
class Fitted:
    """A configuration that bundles can follow."""

    config: Config
    gone: tuple[str, ...]
    """What it does without, as places in the file: "labels.Dog", "groups.Pets (Cat)"."""


def fit(config: Config, bundles: Sequence[Bundle]) -> Fitted:
    """Leave out what names a label that none of the bundles has.

    Raises:
        ConfigError: nothing that is named is left, so that there would be nothing to listen for.
    """
    gone: list[str] = []

    def heard(name: str) -> bool:
        return any(bundle.find(name) for bundle in bundles)

    labels = _kept("labels", config.labels, heard, gone)
    groups = _groups(config, bundles, heard, gone)

    def known(name: str) -> bool:
        return heard(name) or any(name in (group, slugify(group)) for group in groups)

    everything = not (config.labels or config.groups)
    if not (labels or groups or everything):
        raise ConfigError("nothing is left of the labels and groups that the configuration names")

    def reported(name: str) -> bool:
        if everything:
            return heard(name)
        return any(name in (one, slugify(one)) for one in (*labels, *groups))

    changes: dict[str, Any] = {
        "labels": {n: s and _suppressed(f"labels.{n}", s, known, gone) for n, s in labels.items()},
        "groups": {n: _suppressed(f"groups.{n}", s, known, gone) for n, s in groups.items()},
    }
    if config.clips and config.clips.labels:
        kept = _named("clips.labels", config.clips.labels, reported, gone)
        section = config.clips.model_copy(update={"labels": kept})
        changes["clips"] = section if kept else None
    if config.mqtt:
        home = config.mqtt.home_assistant
        where = "mqtt.home_assistant.device_classes"
        classes = _kept(where, home.device_classes, reported, gone)
        home = home.model_copy(update={"device_classes": classes})
        changes["mqtt"] = config.mqtt.model_copy(update={"home_assistant": home})
    return Fitted(config.model_copy(update=changes), tuple(gone))


Value = TypeVar("Value")


def _kept(
    where: str, sections: dict[str, Value], knows: Knows, gone: list[str]
) -> dict[str, Value]:
    gone += [f"{where}.{name}" for name in sections if not knows(name)]
    return {name: section for name, section in sections.items() if knows(name)}


def _named(where: str, names: Sequence[str], knows: Knows, gone: list[str]) -> list[str]:
    gone += [f"{where} ({name})" for name in names if not knows(name)]
    return [name for name in names if knows(name)]


def _suppressed(where: str, section: AnySection, knows: Knows, gone: list[str]) -> AnySection:
    kept = _named(f"{where}.suppress_while", section.suppress_while, knows, gone)
    return section.model_copy(update={"suppress_while": kept})


def _groups(
    config: Config, bundles: Sequence[Bundle], heard: Knows, gone: list[str]
) -> dict[str, GroupConfig]:
    groups = {}
    for name, section in config.groups.items():
        members = _named(f"groups.{name}", section.members, heard, gone)
        without = _named(f"groups.{name}.without", section.without, heard, gone)
        kept = section.model_copy(update={"members": members, "without": without})
        all_needed = section.score == "min" and len(members) < len(section.members)
        if all_needed or not any(_has_members(kept, bundle) for bundle in bundles):
            gone.append(f"groups.{name}")
        else:
            groups[name] = kept
    return groups


def _has_members(section: GroupConfig, bundle: Bundle) -> bool:
    names = [name for name in section.members if bundle.find(name)]
    without = [name for name in section.without if bundle.find(name)]
    own = section.model_copy(update={"members": names, "without": without})
    try:
        return bool(find_members(own, bundle))
    except (BundleError, ConfigError):
        return False
