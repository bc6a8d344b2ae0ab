"""YAML files as trees of frozen models, with errors that say where and what to do."""

import re
import reprlib
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, ValidationInfo
from pydantic_core import ErrorDetails

from ast_edge.base.errors import ConfigError
from ast_edge.base.secret_values import SHORT, masked
from ast_edge.base.text_file import read_text
from ast_edge.base.transliteration import slugify
from ast_edge.base.yaml_loader import Given, in_one_line, load


class Section(BaseModel):
    """A mapping in the file: immutable, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    def __repr__(self) -> str:
        """Show all keys, but no secret."""
        return masked(super().__repr__())

    def __str__(self) -> str:
        """Show all keys, but no secret."""
        return masked(super().__str__())


Tree = TypeVar("Tree", bound=Section)


def load_yaml(path: Path, model: type[Tree]) -> Tree:
    """Read and validate a file.

    Raises:
        ConfigError: in one line with the file, the key path and, for a typo, the nearest match.
    """
    tree = read_tree(path)
    if not isinstance(tree, dict):
        needed = [name for name, field in model.model_fields.items() if field.is_required()]
        raise ConfigError(f"{path}: expected a mapping with {', '.join(needed)}, got {shown(tree)}")
    return parse_tree(tree, model, path)


def read_tree(path: Path) -> object:
    """Read a file without validating what it holds.

    Raises:
        ConfigError: if it cannot be read or is not YAML.
    """
    try:
        return load(read_text(path), path)
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{path}: is not UTF-8 text (byte {exc.start})") from exc
    except yaml.YAMLError as exc:
        raise ConfigError(f"{path}: is not YAML: {in_one_line(exc)}") from exc
    except RecursionError as exc:
        raise ConfigError(f"{path}: is nested too deeply") from exc
    except (ValueError, LookupError, AttributeError, TypeError, ArithmeticError) as exc:
        # PyYAML's own, of a value that is not what its tag says: "!!int x".
        raise ConfigError(f"{path}: holds a value that cannot be: {exc}") from exc


def parse_tree(tree: dict[str, Any], model: type[Tree], source: Path) -> Tree:
    """Validate what a file holds; paths in it are relative to the file.

    Raises:
        ConfigError: in one line with the file, the key path and, for a typo, the nearest match.
    """
    try:
        return model.model_validate(tree, context={"folder": source.parent})
    except ValidationError as exc:
        problem = _first_problem(exc, model)
        # What is quoted may be a URL, in the wrong place perhaps.
        problem = re.sub(r"(:/+).*@", r"\1***@", problem, flags=re.DOTALL)
        problem = re.sub(r"(['\"])[^'\"]*@", r"\1***@", problem)
        # Without the cause, which quotes it as well.
        raise ConfigError(f"{source}: {problem}") from None


def beside_the_file(path: Path, info: ValidationInfo) -> Path:
    """Resolve a path against the folder of the file that names it, not the working directory."""
    folder: Path = (info.context or {}).get("folder", Path())
    try:
        return folder / path.expanduser()
    except RuntimeError as exc:
        raise ValueError(f"no such home directory: {path}") from exc


def _existing(path: Path, info: ValidationInfo) -> Path:
    found = beside_the_file(path, info)
    try:
        exists = found.is_file()
    except OSError as exc:  # a folder that may not be searched, a name that is too long
        raise ValueError(f"{found}: {exc.strerror}") from exc
    if not exists:
        raise ValueError(f"no such file: {found}")
    return found


OutputPath = Annotated[Path, AfterValidator(beside_the_file)]
InputPath = Annotated[Path, AfterValidator(_existing)]


class _Repr(reprlib.Repr):
    """Shows the beginning and the end of values, and of addresses what is no secret."""

    def repr_str(self, x: str, level: int) -> str:
        """Hide before it is cut short: what tells a secret may be in the part that is left out."""
        address = re.search(r":/+", x)
        if address:
            x = x[: address.end()] + "***"
        elif "@" in x:
            x = "***" + x[x.rindex("@") :]
        return super().repr_str(x, level)


def shown(value: object) -> str:
    """Show a value in a message; a few aliases of YAML can make one that has no end."""
    return _Repr().repr(value)[:60]


def _first_problem(exc: ValidationError, model: type[Section]) -> str:
    """Say the first problem as `key.path: what is wrong`."""
    errors = exc.errors(include_url=False)
    # A typo shows as an unknown key and perhaps a missing one: the unknown key explains both.
    error = next((e for e in errors if e["type"] == "extra_forbidden"), errors[0])
    where = ".".join(str(part) for part in error["loc"] if part != "[key]")
    if error["type"] == "extra_forbidden":
        key = str(error["loc"][-1])
        return f"{where}: unknown key{did_you_mean(key, _keys_at(model, error['loc'][:-1]))}"
    message = error["msg"].removeprefix("Value error, ").removeprefix("Input ")
    message = re.sub(r" for <class '[^']*'>$", "", message)  # what Python calls it
    given = error["input"]
    if isinstance(given, Given):
        for quoted in (str.__repr__(given), str(given) if len(given) >= SHORT else ""):
            message = message.replace(quoted, given.reference) if quoted else message
    if error["type"] in ("missing", "value_error"):
        return f"{where}: {message}" if where else message
    key = next((part for part in reversed(error["loc"]) if isinstance(part, str)), "")
    return f"{where}: {message}, got {shown(given)}{_in_quotes(key, error)}"


def _in_quotes(key: str, error: ErrorDetails) -> str:
    """Say how to write a number or a switch as the text that is wanted."""
    given = error["input"]
    if not isinstance(given, bool | int | float):
        return ""
    text = str(given).lower()
    fits = repr(text) in error.get("ctx", {}).get("expected", "")
    if error["type"] not in ("string_type", "list_type", "path_type") and not fits:
        return ""
    # A number like 1.50 may have been written in another way.
    return f'; write {key}: "{text}"' if not isinstance(given, float) else "; write it in quotes"


def _keys_at(section: type[Section], path: tuple[str | int, ...]) -> list[str]:
    """List the keys that the section at `path` under `section` knows."""
    parts = iter(path)
    for part in parts:
        annotation = section.model_fields[str(part)].annotation
        section = next(t for t in _types_in(annotation) if issubclass(t, Section))
        if get_origin(annotation) is dict:
            next(parts, None)  # the user's own name of a source or a label
    return list(section.model_fields)


def _types_in(annotation: object) -> Iterator[type]:
    if isinstance(annotation, type):
        yield annotation
    for argument in get_args(annotation):
        yield from _types_in(argument)


def did_you_mean(word: str, known: list[str]) -> str:
    """Return `, did you mean 'x'?`, or the list of what is known when nothing is near."""
    by_fold = {k.casefold(): k for k in known}
    near = get_close_matches(word.casefold(), by_fold, n=1, cutoff=0.6)
    letters = slugify(word).replace("_", "")
    near += [k for k in by_fold if letters and slugify(k).replace("_", "").startswith(letters)]
    if near:
        return f", did you mean {by_fold[near[0]]!r}?"
    return f"; known are {', '.join(map(repr, known))}" if known else ""
