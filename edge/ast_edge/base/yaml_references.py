"""Values that a YAML file takes from elsewhere: `${NAME}` and `!secret name`."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

import yaml

from ast_edge.base.errors import ConfigError
from ast_edge.base.secret_values import hide
from ast_edge.base.text_file import read_text

SECRETS = "secrets.yaml"
"""Stands beside the file that refers to it."""
SECRET = "!secret"
GIVEN = "!given by the environment or a secret"  # no file can say this: a tag has no spaces
_VARIABLE = re.compile(r"\$(\$)?\{([^}]*\}?)")
_TAG = "tag:yaml.org,2002:"


class GivenNode(yaml.ScalarNode):
    """A scalar whose value stands elsewhere."""

    def __init__(self, node: yaml.ScalarNode, value: str, reference: str) -> None:
        """Take the place of a node; `reference` is what may be shown instead of the value."""
        super().__init__(GIVEN, value, node.start_mark, node.end_mark)
        self.reference = reference


def resolve(root: yaml.Node, file: Path, environ: Mapping[str, str] = os.environ) -> None:
    """Put values in the place of the references to them, in all values of a file's tree.

    Raises:
        ConfigError: there is no such value; the message has the key path.
    """
    _References(file, environ).visit(root, ())


class _References:
    def __init__(self, file: Path, environ: Mapping[str, str]) -> None:
        self._file, self._environ = file, environ
        self._secrets: dict[str, yaml.ScalarNode] | None = None
        self._visited: set[int] = set()

    def visit(self, node: yaml.Node, path: tuple[str, ...]) -> None:
        """Resolve what is in a mapping or a list."""
        if id(node) in self._visited:  # an alias
            return
        self._visited.add(id(node))
        if isinstance(node, yaml.MappingNode):
            for number, (key, value) in enumerate(node.value):
                name = key.value if isinstance(key, yaml.ScalarNode) else "?"
                _check_text(name, f"{self._file}: {'.'.join(path)}: a key")
                node.value[number] = (key, self._resolved(value, (*path, name)))
        elif isinstance(node, yaml.SequenceNode):
            for number, item in enumerate(node.value):
                node.value[number] = self._resolved(item, (*path, str(number)))

    def _resolved(self, node: yaml.Node, path: tuple[str, ...]) -> yaml.Node:
        where = f"{self._file}: {'.'.join(path)}"
        if node.tag == SECRET:
            if not isinstance(node, yaml.ScalarNode) or not node.value:
                raise ConfigError(f"{where}: expected one name after {SECRET}")
            return _placed(node, self._secret(node.value, where), f"{SECRET} {node.value}")
        if not isinstance(node, yaml.ScalarNode):
            self.visit(node, path)
        elif "${" in node.value:
            return self._filled(node, where)
        else:
            _check_text(node.value, f"{where}: the value")
        return node

    def _filled(self, node: yaml.ScalarNode, where: str) -> yaml.ScalarNode:
        """Return a scalar with the values of the variables in it."""
        names: list[str] = []

        def value(found: re.Match[str]) -> str:
            if found[1]:
                return "${" + found[2]
            name = found[2].removesuffix("}")
            # What stands there is not quoted: it may be a part of a password.
            if found[2] == name or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
                raise ConfigError(
                    f"{where}: expected the name of a variable between ${{ and }}, of letters, "
                    "digits and '_'; write $${ for a ${ that is meant so"
                )
            if name not in self._environ:
                raise ConfigError(
                    f"{where}: the variable {name} is not set in the environment: set it, or "
                    f"write the value here or into {SECRETS} ({SECRET})"
                )
            names.append(name)
            _check_text(self._environ[name], f"{where}: the variable {name} of the environment")
            return self._environ[name]

        text = _VARIABLE.sub(value, node.value)
        if not names:
            return yaml.ScalarNode(node.tag, text, node.start_mark, node.end_mark, node.style)
        filled = yaml.ScalarNode(node.tag, text, node.start_mark, node.end_mark, node.style)
        return _placed(node, filled, " ".join(f"${{{name}}}" for name in dict.fromkeys(names)))

    def _secret(self, name: str, where: str) -> yaml.ScalarNode:
        path = self._file.parent / SECRETS
        if self._secrets is None:
            self._secrets = _read(path, where)
        if name not in self._secrets:
            known = ", ".join(map(repr, self._secrets)) or "no names"
            raise ConfigError(f"{where}: no secret {name!r} in {path}, which has {known}")
        secret = self._secrets[name]
        _check_text(secret.value, f"{where}: the secret {name!r}")
        hide(secret.value, f"{SECRET} {name}")
        return secret


def _check_text(text: str, what: str) -> None:
    """Refuse what could not be sent or written: halves of characters, bytes that are no UTF-8.

    Raises:
        ConfigError: without the text, which may be a password.
    """
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        raise ConfigError(
            f"{what} is not UTF-8 text (character {exc.start + 1}): write it in UTF-8"
        ) from None


def _placed(node: yaml.ScalarNode, value: yaml.ScalarNode, reference: str) -> yaml.ScalarNode:
    """Return what stands in the place of a node: text, or a switch that is not quoted."""
    if node.style is None and value.style is None and value.value in ("true", "false"):
        return yaml.ScalarNode(_TAG + "bool", value.value, node.start_mark, node.end_mark)
    return GivenNode(node, value.value, reference)


def _read(path: Path, where: str) -> dict[str, yaml.ScalarNode]:
    """Return names and values of a file of secrets; no message quotes any of it but names.

    Raises:
        ConfigError: it cannot be read, or is not a mapping of names to values.
    """
    expected = "expected lines such as `name: value` (a value with special characters in quotes)"
    try:
        root = yaml.compose(read_text(path), Loader=yaml.BaseLoader)
    except OSError as exc:
        raise ConfigError(
            f"{where}: the file of secrets, {path}, cannot be read: {exc.strerror}"
        ) from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{path}: is not UTF-8 text (byte {exc.start})") from exc
    except (yaml.YAMLError, RecursionError, ValueError) as exc:
        mark = getattr(exc, "problem_mark", None)
        at = f" (line {mark.line + 1})" if mark else ""
        raise ConfigError(f"{path}: is not YAML{at}: {expected}") from None
    if not isinstance(root, yaml.MappingNode):
        raise ConfigError(f"{path}: {expected}")
    secrets: dict[str, yaml.ScalarNode] = {}
    for key, value in root.value:
        if not isinstance(key, yaml.ScalarNode):
            raise ConfigError(f"{path}: line {key.start_mark.line + 1}: {expected}")
        plain = isinstance(value, yaml.ScalarNode) and value.tag == _TAG + "str"
        if not plain or (value.style is None and not value.value):
            raise ConfigError(f"{path}: {key.value}: {expected}")
        if key.value in secrets:
            raise ConfigError(f"{path}: the name {key.value!r} is given twice")
        secrets[key.value] = value
    return secrets
