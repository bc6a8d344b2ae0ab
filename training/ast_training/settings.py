"""Whether a training was made by the settings of a recipe."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ast_edge.errors import ConfigError
from ast_training.recipe import Recipe

FREE = re.compile(
    r"name|licence|average|loop\..*|optimizer\.epochs|data\.folder|init\.source"
    r"|packs\..*\.(table|audio|licence)"
)
"""Settings of a recipe that a training may go on with when they have changed."""


def check_settings(recipe: Recipe, made_by: Mapping[str, Any], path: Path) -> None:
    """Refuse to go on with a training by other settings than it was begun with.

    What may change: where files lie, how long to train, what to average, and the section `loop`.

    Raises:
        ConfigError: naming the first that differs.
    """
    wanted, found = _settings(recipe.model_dump(mode="json")), _settings(made_by)
    for key in sorted(wanted | found):
        if wanted.get(key) != found.get(key) and not FREE.fullmatch(key):
            raise ConfigError(
                f"{path}: was made with {key} {found.get(key)!r}, the recipe {recipe.name!r} says "
                f"{wanted.get(key)!r}: train into another folder"
            )


def _settings(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten a recipe into `section.key` -> value."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat |= _settings(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat
