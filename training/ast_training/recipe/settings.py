"""Whether a training was made by the settings of a recipe."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any

from ast_edge.base.errors import ConfigError
from ast_training.recipe.recipe import Recipe

FREE = re.compile(
    r"name|licence|average|patience|loop(\..*)?|optimizer\.epochs|soundscapes\.validation_minutes"
    r"|packs\.[^.]*\.licence"
)
"""Settings of a recipe that a training may go on with when they have changed."""
FOLDERS = re.compile(r"data\.folder|init\.source|packs\.[^.]*\.(audio|prepared)")
"""Of these only the place may have changed, and what lies in it is taken for the same."""
FILES = re.compile(
    r"packs\.[^.]*\.(table|terms_table)|teachers\.[0-9]+\.(weights|labels)|init\.(stem|yamnet)"
)
"""Of these the place may have changed, but not the name."""
PLACES = re.compile(rf"{FOLDERS.pattern}|{FILES.pattern}|loop\.decoded")
"""That say where files lie on the machine that trained."""
Tree = Mapping[str, object]

SHOWN = 5
"""Differences in a message."""


def check_settings(recipe: Recipe, made_by: Mapping[str, Any], path: Path) -> None:
    """Refuse to go on with a training by other settings than it was begun with.

    What may change: where files lie, how long to train, what to average, the section `loop`, and
    packs that are for testing alone. A setting that did not exist when the training began counts as
    left at its default.

    Raises:
        ConfigError: naming what differs.
    """
    wanted, given = (recipe.model_dump(mode="json", exclude_defaults=x) for x in (False, True))
    found = list(_differences(_that_trains(wanted), _that_trains(made_by), _that_trains(given)))
    if found:
        more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        raise ConfigError(
            f"{path}: was made with other settings than the recipe {recipe.name!r} has: "
            f"{'; '.join(found[:SHOWN])}{more}: train into another folder"
        )


def without_places(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a training with the names of files and folders in place of paths.

    So they tell nobody who has trained, and where; to go on, their places may differ anyway.
    """
    return {key: _without_places(value, key) for key, value in recipe.items()}


def _without_places(value: object, key: str) -> object:
    if isinstance(value, Mapping):
        names = {name: f"{key}.{name.replace('.', '_')}" for name in value}  # of a pack, perhaps
        return {name: _without_places(one, names[name]) for name, one in value.items()}
    if isinstance(value, list):
        return [_without_places(one, f"{key}.{number}") for number, one in enumerate(value)]
    return PurePath(value).name if isinstance(value, str) and PLACES.fullmatch(key) else value


def _that_trains(recipe: Mapping[str, Any]) -> Tree:
    packs = recipe.get("packs", {}).items()
    return {**recipe, "packs": {name: p for name, p in packs if p.get("test_share") != 1.0}}


def _differences(wanted: Tree, found: Tree, given: Tree, at: str = "") -> Iterator[str]:
    """Yield what differs; `given` is the part of `wanted` that is not left at its default."""
    for key in sorted(wanted.keys() | found.keys()):
        name, one, other = f"{at}{key}", wanted.get(key), found.get(key)
        if key not in found:
            if key in given and not FREE.fullmatch(name):
                yield f"{name} was not given, is {_shown(one)}"
        elif _alike(one, other):
            yield from _differences(_tree(one), _tree(other), _tree(given.get(key)), f"{name}.")
        elif one != other and not _is_free(name, one, other):
            yield f"{name} was {_shown(other)}, is {_shown(one)}"


def _alike(one: object, other: object) -> bool:
    """Tell whether both are sections, or lists of as many of them."""
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return all(isinstance(section, Mapping) for section in one + other)
    return isinstance(one, Mapping) and isinstance(other, Mapping)


def _tree(value: object) -> Tree:
    if isinstance(value, list):
        return {str(number): section for number, section in enumerate(value)}
    return value if isinstance(value, Mapping) else {}


def _is_free(key: str, wanted: object, found: object) -> bool:
    if FILES.fullmatch(key):
        return PurePath(str(wanted)).name == PurePath(str(found)).name
    return bool(FREE.fullmatch(key) or FOLDERS.fullmatch(key))


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
