"""The dialect of YAML that is read: scalars as in version 1.2, and no key twice."""

import re
from pathlib import Path
from typing import Any, TypeVar

import yaml

from ast_edge.base.yaml_references import GIVEN, GivenNode, resolve

Built = TypeVar("Built")


class Given(str):
    """A value that stands elsewhere: in the environment, or in the file of secrets.

    Its `repr` is how the configuration refers to it, so that no message quotes the value.
    """

    reference: str

    def __new__(cls, value: str, reference: str) -> "Given":
        """Take the value and what stands for it."""
        given = super().__new__(cls, value)
        given.reference = reference
        return given

    def __repr__(self) -> str:
        return self.reference


def load(text: str, file: Path) -> object:
    """Return what a text says; `file` is where it stands.

    Raises:
        ConfigError: it refers to what is not there.
        yaml.YAMLError, ValueError and its like: it is no YAML, or a value cannot be.
    """
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return None
        resolve(root, file)
        tree: object = loader.construct_document(root)
        return tree
    finally:
        loader.dispose()


class _Loader(yaml.SafeLoader):
    """Read scalars as YAML 1.2 does: `on`, `no`, `12:30`, `0123`, `2026-01-01` are text.

    Keys are always text. A key given twice is an error, where PyYAML would keep the last one
    silently.
    """

    yaml_implicit_resolvers = {}  # noqa: RUF012 (PyYAML's own class attribute)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for number, (key, value) in enumerate(node.value):
            if not isinstance(key, yaml.ScalarNode):
                continue  # a list or mapping as key: refused by the validation, in its own words
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} is given twice", key.start_mark
                )
            seen.add(key.value)
            if key.tag in _PLAIN:
                text = yaml.ScalarNode(_TAG + "str", key.value, key.start_mark, key.end_mark)
                node.value[number] = (text, value)
        return super().construct_mapping(node, deep)


_TAG = "tag:yaml.org,2002:"
_PLAIN = {_TAG + kind for kind in ("null", "bool", "int", "float")}
for _kind, _form, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|false", ["t", "f"]),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", [*"-+0123456789"]),
    (
        "float",
        r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        [*"-+.0123456789"],
    ),
    ("merge", r"<<", ["<"]),
):
    _Loader.add_implicit_resolver(_TAG + _kind, re.compile(f"^(?:{_form})$"), _first)


def _given(loader: yaml.SafeLoader, node: yaml.Node) -> Given:
    assert isinstance(node, GivenNode)
    return Given(node.value, node.reference)


_Loader.add_constructor(GIVEN, _given)


def in_one_line(exc: yaml.YAMLError) -> str:
    """Say what is wrong and where, without PyYAML's quotation of the lines around it."""
    mark, problem = getattr(exc, "problem_mark", None), getattr(exc, "problem", None)
    if mark is None or problem is None:
        return str(exc)
    if mark.buffer and mark.buffer[mark.pointer - 1 : mark.pointer + 1] == "${":
        problem += '; within brackets and braces write "${NAME}" in quotes'
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}"
