"""Thresholds written into a configuration file; all else of it stays as it is, comments too."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import yaml

from ast_edge.base.errors import ConfigError

Section: TypeAlias = str
"""`labels` or `groups`."""


@dataclass(frozen=True)
class Thresholds:
    """What is written for one label or group."""

    on: float
    off: float
    hold: float | None = None
    """Seconds; None leaves it as it is."""

    @property
    def numbers(self) -> dict[str, str]:
        """Return what is written, by its key."""
        given = {key: getattr(self, key) for key in ("on", "off", "hold")}
        return {key: f"{value:g}" for key, value in given.items() if value is not None}

    def __str__(self) -> str:
        return "{" + ", ".join(f"{key}: {number}" for key, number in self.numbers.items()) + "}"


@dataclass(frozen=True)
class _Edit:
    start: int
    end: int
    text: str


def edit_thresholds(text: str, wanted: Mapping[Section, Mapping[str, Thresholds | None]]) -> str:
    """Return the text of a configuration with other thresholds.

    Names are those in the file, or of a section that it lacks; None leaves a label as it is.

    Raises:
        ConfigError: if the file is written in a way that this cannot edit (anchors, for example).
    """
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        raise ConfigError(f"expected a mapping, got {text!r:.60}")
    edits = [
        edit
        for section, names in wanted.items()
        if names
        for edit in _edit_section(text, root, section, names)
    ]
    for edit in sorted(edits, key=lambda edit: edit.start, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    _check(root, text, wanted)
    return text


def put_record(text: str, key: str, record: Mapping[str, object]) -> str:
    """Return the text of a configuration with this section, in the place of one before.

    Raises:
        ConfigError: if the file is written in a way that this cannot edit.
    """
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        raise ConfigError(f"expected a mapping, got {text!r:.60}")
    entries = [f"{name}: {json.dumps(value)}" for name, value in record.items()]
    value = "{ # written by ast-edge tune\n  " + ",\n  ".join(entries) + " }"
    if root.flow_style:
        value = json.dumps(record)
    old = _value(root, key)
    if old is not None:
        start, end = old.start_mark.index, old.end_mark.index
        if not isinstance(old, yaml.MappingNode) or not old.flow_style:
            raise ConfigError(
                f"{key}: was written by hand; remove it, ast-edge tune writes its own"
            )
        edited = text[:start] + value + text[end:]
    elif root.flow_style:
        place = text.rindex("}", 0, root.end_mark.index)
        edited = f'{text[:place]}, "{key}": {value}{text[place:]}'
    else:
        edited = f"{text}{'' if text.endswith(chr(10)) else chr(10)}\n{key}: {value}\n"
    found = _plain(yaml.compose(edited, Loader=yaml.SafeLoader))
    expected = {one.value: _plain(value) for one, value in root.value}
    if not isinstance(found, dict) or expected | {key: found[key]} != found:
        raise ConfigError(f"{key} cannot be written into this file without changing something else")
    return edited


def _edit_section(
    text: str, root: yaml.MappingNode, section: str, names: Mapping[str, Thresholds | None]
) -> Iterator[_Edit]:
    node = _value(root, section)
    if node is None:
        yield _add_section(text, root, section, names)
    elif isinstance(node, yaml.SequenceNode):
        yield from _edit_list(text, node, names, in_block=not root.flow_style)
    elif isinstance(node, yaml.MappingNode):
        for name, thresholds in names.items():
            value = _value(node, name)
            if value is None:
                raise ConfigError(f"{section}: expected {name!r}, which is not there")
            if thresholds is not None:
                yield from _edit_label(value, thresholds, f"{section}.{name}")
    else:
        raise ConfigError(f"{section}: expected a list or a mapping, got {node.value!r:.60}")


def _add_section(
    text: str, root: yaml.MappingNode, section: str, names: Mapping[str, Thresholds | None]
) -> _Edit:
    if root.flow_style:
        entries = ", ".join(_entry(name, thresholds) for name, thresholds in names.items())
        place = text.rindex("}", 0, root.end_mark.index)
        return _Edit(place, place, f', "{section}": {{{entries}}}')
    lines = [f"  {_entry(name, thresholds)}\n" for name, thresholds in names.items()]
    end = "" if text.endswith("\n") else "\n"
    return _Edit(len(text), len(text), f"{end}\n{section}:\n{''.join(lines)}")


def _edit_list(
    text: str,
    node: yaml.SequenceNode,
    names: Mapping[str, Thresholds | None],
    *,
    in_block: bool,
) -> Iterator[_Edit]:
    """Make a mapping of a list of names."""
    if not node.flow_style:
        for item in node.value:
            dash = text.rindex("-", 0, item.start_mark.index)
            entry = _entry(item.value, names.get(item.value))
            yield _Edit(dash, item.end_mark.index, f"  {entry}")  # it may stand below its key
        return
    entries = [_entry(item.value, names.get(item.value)) for item in node.value]
    block = "".join(f"\n  {entry}" for entry in entries)
    flow = f"{{{', '.join(entries)}}}"
    yield _Edit(node.start_mark.index, node.end_mark.index, block if in_block else flow)


def _edit_label(node: yaml.Node, thresholds: Thresholds, where: str) -> Iterator[_Edit]:
    start, end = node.start_mark.index, node.end_mark.index
    if isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null":
        yield _Edit(start, end, f"{'' if end > start else ' '}{thresholds}")
    elif isinstance(node, yaml.MappingNode):
        missing = []
        for key, number in thresholds.numbers.items():
            value = _value(node, key)
            if value is None:
                missing.append(f"{key}: {number}")
            else:
                yield _Edit(value.start_mark.index, value.end_mark.index, number)
        if missing and node.flow_style:
            last = node.value[-1][1].end_mark.index if node.value else start + 1
            yield _Edit(last, last, ", " * bool(node.value) + ", ".join(missing))
        elif missing:
            first = node.value[0][0].start_mark
            indent = " " * first.column
            lines = "".join(f"{line}\n{indent}" for line in missing)
            yield _Edit(first.index, first.index, lines)
    else:
        raise ConfigError(
            f"{where}: is written in a short form that has no place for thresholds; write "
            f"{where.split('.')[0]} as a mapping, with `members:` or `ontology:`"
        )


def _entry(name: str, thresholds: Thresholds | None) -> str:
    plain = re.fullmatch(r"[A-Za-z][A-Za-z0-9_ ()'-]*", name) and name.lower() not in _RESERVED
    key = name if plain else "'" + name.replace("'", "''") + "'"
    return f"{key}: {thresholds}" if thresholds else f"{key}: null"


_RESERVED = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}


def _value(node: yaml.MappingNode, key: str) -> yaml.Node | None:
    return next((value for one, value in node.value if one.value == key), None)


def _check(
    before: yaml.MappingNode, text: str, wanted: Mapping[Section, Mapping[str, Thresholds | None]]
) -> None:
    """Read the new text: it must say what it said, but for what was wanted."""
    expected: dict[str, Any] = {key.value: _plain(value) for key, value in before.value}
    for section, names in wanted.items():
        labels = expected.setdefault(section, dict.fromkeys(names)) if names else {}
        if isinstance(labels, list):
            labels = expected[section] = dict.fromkeys(labels)
        for name, thresholds in names.items():
            if thresholds is not None:
                labels[name] = {**(labels[name] or {}), **thresholds.numbers}
    try:
        found = _plain(yaml.compose(text, Loader=yaml.SafeLoader))
    except yaml.YAMLError:
        found = None
    if found != expected:
        raise ConfigError(
            "the thresholds cannot be written into this file without changing something else; "
            "write them by hand, or without anchors and merges"
        )


def _plain(node: yaml.Node | None) -> object:
    """Return what a node says, with scalars as they are written."""
    if isinstance(node, yaml.MappingNode):
        return {key.value: _plain(value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item) for item in node.value]
    if node is None or node.tag == "tag:yaml.org,2002:null":
        return None
    return str(node.value)
