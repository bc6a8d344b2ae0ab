"""The labels and groups that a configuration asks for, as each of its bundles can follow them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TypeVar

from ast_edge.app.config import Config
from ast_edge.base.errors import ConfigError
from ast_edge.base.transliteration import slugify
from ast_edge.base.yaml_file import did_you_mean
from ast_edge.detection.config import GroupConfig, LabelConfig
from ast_edge.detection.groups import find_members
from ast_edge.model.bundle import Bundle

AnySection = TypeVar("AnySection", bound=LabelConfig)


@dataclass(frozen=True)
class Wishes:
    """What is to be reported of one bundle."""

    labels: Mapping[str, LabelConfig | None]
    groups: Mapping[str, GroupConfig]
    everything: bool = False
    """Whether that is all that the bundle can hear: nothing is named."""
    lacking: tuple[str, ...] = ()
    """Names of labels and groups that are asked for, and only another bundle has."""


def share_wishes(config: Config, bundles: Sequence[Bundle]) -> list[Wishes]:
    """Return what is to be reported of each bundle: what it has of all that is asked for.

    A single bundle gets everything as it stands.

    Raises:
        ConfigError: no bundle has a name that is asked for, with the nearest match; or a bundle has
            none of them, so that its sources would be listened to for nothing.
    """
    everything = not config.labels and not config.groups
    if len(bundles) == 1:
        return [Wishes(config.labels, config.groups, everything)]
    _check_known(config, bundles)
    shares = [_share(config, bundle, everything) for bundle in bundles]
    for name, section in config.groups.items():
        if not any(name in share.groups for share in shares):
            which = "all members" if section.score == "min" else "any member"
            raise ConfigError(f"groups.{name}: none of {_named(bundles, 'and')} has {which} of it")
    for bundle, share in zip(bundles, shares, strict=True):
        if not (share.labels or share.groups or everything):
            raise ConfigError(
                f"labels: {bundle.name!r} has none of the labels and groups, so its sources would "
                "be listened to for nothing; name one that it has"
            )
    return shares


def _check_known(config: Config, bundles: Sequence[Bundle]) -> None:
    """Refuse names that no bundle has."""
    labels = [label.name for bundle in bundles for label in bundle.labels]
    for where, name, groups in _names(config):
        known = groups and any(name in (group, slugify(group)) for group in groups)
        if not known and not any(bundle.find(name) for bundle in bundles):
            near = did_you_mean(name, [*dict.fromkeys([*groups, *labels])])
            what = f"{_named(bundles, 'or')}{' or a group' if groups else ''}"
            raise ConfigError(f"{where}: {name!r} is not a label of {what}{near}")


def _names(config: Config) -> Iterator[tuple[str, str, Iterable[str]]]:
    """Yield where each name stands, the name, and the groups that may be meant by it."""
    for name in config.labels:
        yield f"labels.{name}", name, ()
    for group, section in config.groups.items():
        for name in chain(section.members, section.without):
            yield f"groups.{group}", name, ()
    sections = [(f"labels.{name}", section) for name, section in config.labels.items()]
    sections += [(f"groups.{name}", section) for name, section in config.groups.items()]
    for where, one in sections:
        for name in one.suppress_while if one else ():
            yield f"{where}.suppress_while", name, config.groups


def _share(config: Config, bundle: Bundle, everything: bool) -> Wishes:
    groups = {}
    for name, section in config.groups.items():
        if found := _share_group(name, section, bundle):
            groups[name] = found
    labels = {name: section for name, section in config.labels.items() if bundle.find(name)}

    def has(name: str) -> bool:
        return bundle.find(name) is not None or any(name in (g, slugify(g)) for g in groups)

    lacking = [name for _, name, _ in _names(config) if not has(name)]
    lacking += [name for name in config.groups if name not in groups]
    return Wishes(
        {name: section and _suppressed(section, has) for name, section in labels.items()},
        {name: _suppressed(section, has) for name, section in groups.items()},
        everything,
        tuple(dict.fromkeys(lacking)),
    )


def _share_group(name: str, section: GroupConfig, bundle: Bundle) -> GroupConfig | None:
    """Return a group of what a bundle has of it; None if that is nothing, or all are needed."""
    members = [member for member in section.members if bundle.find(member)]
    if section.score == "min" and len(members) < len(section.members):
        return None
    without = [other for other in section.without if bundle.find(other)]
    shared = section.model_copy(update={"members": members, "without": without})
    try:
        return shared if find_members(shared, bundle) else None
    except ConfigError as exc:
        raise ConfigError(f"groups.{name}: {exc}") from exc


def _suppressed(section: AnySection, has: Callable[[str], bool]) -> AnySection:
    """Leave out what is never heard."""
    heard = [name for name in section.suppress_while if has(name)]
    return section.model_copy(update={"suppress_while": heard})


def _named(bundles: Sequence[Bundle], word: str) -> str:
    return f" {word} ".join(repr(bundle.name) for bundle in bundles)
