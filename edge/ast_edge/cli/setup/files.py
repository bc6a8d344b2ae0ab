"""Putting the files there: whole or not at all, what was there kept beside."""

import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from ast_edge.base.errors import ConfigError
from ast_edge.base.text_file import read_text
from ast_edge.base.yaml_references import SECRETS
from ast_edge.evaluation.errors import OutputError

NAME = "broker"
"""Of the password in `secrets.yaml`."""


@dataclass(frozen=True)
class Secret:
    """A password among the others of `secrets.yaml`."""

    name: str
    text: str | None
    """The whole file with it; None if it is there already."""


def add_secret(config: Path, value: str) -> Secret:
    """Find a name for a password beside a configuration; what is there keeps its name and value.

    Raises:
        ConfigError: if the file that is there cannot be added to.
    """
    path = config.with_name(SECRETS)
    try:
        text = read_text(path) if path.exists() else ""
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as exc:
        raise ConfigError(
            f"{path}: cannot be read to add the password: {type(exc).__name__}"
        ) from None
    known: dict[str, str] = {}
    if root is not None:
        if not isinstance(root, yaml.MappingNode) or root.flow_style:
            raise ConfigError(
                f"{path}: expected lines such as `name: value` to add the password to"
            )
        known = {str(key.value): str(item.value) for key, item in root.value}
    names = (NAME if number == 1 else f"{NAME}-{number}" for number in range(1, len(known) + 2))
    name = next(name for name in names if known.get(name, value) == value)
    if name in known:
        return Secret(name, None)
    line = yaml.safe_dump({name: value}, default_style='"', allow_unicode=True, width=float("inf"))
    line = line.replace(f'"{name}"', name, 1)
    end = "" if not text or text.endswith("\n") else "\n"
    return Secret(name, f"{text}{end}{line}")


def put_files(config: Path, text: str, secrets: str | None) -> Path | None:
    """Write the configuration, and before it the passwords that it names.

    Nothing is changed unless both can be written; Ctrl-C is heard before or after it, not within.

    Returns:
        Where the configuration is that was there before; None if there was none, or the same.

    Raises:
        OutputError: if they cannot be written; what was there stays.
    """
    config = config.resolve()  # a link stays one
    path, kept = config, None
    partials: list[Path] = []
    try:
        with _undisturbed(), contextlib.ExitStack() as undo:
            for path, content in ((config.with_name(SECRETS), secrets), (config, text)):
                if content is not None:
                    partials.append(_partial(path, content, private=path != config, undo=undo))
            path = config
            if config.exists() and config.read_bytes() != text.encode():
                kept = keep(config)
                undo.callback(kept.unlink)
            for partial in partials:
                path = partial.with_name(partial.name.removesuffix(".partial"))
                partial.replace(path)
            undo.pop_all()
    except OSError as exc:
        raise OutputError(
            f"{path}: cannot be written: {exc.strerror}; nothing was changed"
        ) from exc
    return kept


def _partial(path: Path, content: str, *, private: bool, undo: contextlib.ExitStack) -> Path:
    """Write a file beside its place, for nobody else to read before its rights are known."""
    partial = path.with_name(f"{path.name}.partial")
    partial.unlink(missing_ok=True)
    undo.callback(lambda: partial.unlink(missing_ok=True))
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
        there = path.stat() if path.exists() else None
        if there and os.geteuid() == 0:
            os.fchown(descriptor, there.st_uid, there.st_gid)
        if not private:
            os.fchmod(descriptor, there.st_mode & 0o777 if there else 0o644)
    return partial


def keep(path: Path) -> Path:
    """Copy a file beside itself, under a name that none has, and return that."""
    content, mode = path.read_bytes(), path.stat().st_mode & 0o777
    number = 1
    while True:
        kept = path.with_name(f"{path.name}.old" if number == 1 else f"{path.name}.old-{number}")
        try:
            descriptor = os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        except FileExistsError:
            number += 1
            continue
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        return kept


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Let signals that would end us wait."""
    ends = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
