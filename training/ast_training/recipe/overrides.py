"""Settings of a recipe that are given beside its file: `optimizer.lr=1e-4`."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from ast_edge.base.errors import ConfigError
from ast_edge.base.yaml_file import shown
from ast_edge.base.yaml_loader import in_one_line, load

FLOAT = re.compile(r"[-+]?[0-9]+[eE][-+]?[0-9]+")
"""A number that YAML takes for text: 1e-4 has no point."""


def override(tree: dict[str, Any], settings: Sequence[str], file: Path) -> dict[str, Any]:
    """Return what a recipe says with settings put in place of its own, the last of a key.

    Whether keys exist and values are of their types is told when the recipe is made of it.

    Args:
        tree: is left as it is.
        settings: each `key.of.keys=value`, the value as in YAML; nothing stands for null.
        file: of the recipe, for errors, and what paths are relative to.

    Raises:
        ConfigError: if one is no such setting, or leads into what is no section.
    """
    for setting in settings:
        key, equals, text = setting.partition("=")
        keys = key.strip().split(".")
        if not equals or not all(keys):
            raise ConfigError(
                f"--set: expected key=value, such as optimizer.lr=1e-4, got {setting!r}"
            )
        changed = _replaced(tree, keys, _value(setting, text, file), key.strip(), file)
        assert isinstance(changed, dict)  # there is a first key
        tree = changed
    return tree


def _value(setting: str, text: str, file: Path) -> object:
    if FLOAT.fullmatch(text.strip()):
        return float(text)
    try:
        return load(text, file)
    except yaml.YAMLError as exc:
        raise ConfigError(f"--set {setting}: the value is not YAML: {in_one_line(exc)}") from exc
    except (ValueError, LookupError, AttributeError, TypeError, ArithmeticError) as exc:
        raise ConfigError(f"--set {setting}: holds a value that cannot be: {exc}") from exc


def _replaced(part: object, keys: Sequence[str], value: object, key: str, file: Path) -> object:
    """Return a copy of a part with the value at the end of the keys; sections are made."""
    if not keys:
        return value
    first, *rest = keys
    if part is None:
        part = {}
    if isinstance(part, dict):
        return part | {first: _replaced(part.get(first), rest, value, key, file)}
    if isinstance(part, list) and first.isdecimal() and int(first) < len(part):
        number = int(first)
        changed = _replaced(part[number], rest, value, key, file)
        return [*part[:number], changed, *part[number + 1 :]]
    what = f"a list of {len(part)}" if isinstance(part, list) else shown(part)
    raise ConfigError(f"--set {key}: there is no {first!r} in {file}, which has {what} there")
