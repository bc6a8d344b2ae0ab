"""The units of systemd that come with ast-edge, and where they go on this machine."""

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ast_edge.base.errors import ConfigError
from ast_edge.base.yaml_file import Section

NAME = "ast-edge.service"
SHIPPED_PROGRAM = "/opt/ast-edge/bin/ast-edge"
"""What stands in the shipped units for the program that is installed."""
PACKAGED = Path("/usr/lib/systemd/system", NAME)
"""The unit of the Debian package, whose program is that one."""
PASSWORD = Path("/etc/ast-edge/mqtt-password")
HIDDEN = tuple(map(Path, ("/home", "/root", "/run/user", "/tmp", "/var/tmp")))
"""ProtectHome and PrivateTmp hide these from the service."""
GROUP = "audio"
"""The system's service is in this group; the configuration is for it and for root to read."""


@dataclass(frozen=True)
class File:
    """A file to write, or to remove when it has no text."""

    path: Path
    text: str | None
    mode: int = 0o644
    group: str | None = None
    """Whose file it is; None for that of who writes it."""


def unit_folder() -> Path:
    """Return where the shipped units stand: in the package, or in a checkout beside it."""
    package = Path(__file__).parents[1]
    installed = package / "systemd"
    return installed if installed.is_dir() else package.parents[1] / "systemd"


def program() -> Path:
    """Return the `ast-edge` that belongs to this Python.

    Raises:
        ConfigError: if there is none.
    """
    found = Path(sys.executable).with_name("ast-edge")
    if not found.exists():
        raise ConfigError(
            f"{found}: expected the program beside this Python, found none: install ast-edge with "
            "pip into this environment"
        )
    return found


def system_unit(executable: Path, *, gpu: bool, password: bool) -> list[File]:
    """Return the files of the system's service; what is not wanted of them is removed.

    Where the Debian package is installed, the unit is its own, so that an upgrade brings a new one.

    Raises:
        ConfigError: if the service could not see the program, because it stands in a home.
    """
    if is_hidden(executable):
        raise ConfigError(
            f"{executable}: the service cannot see what stands there: install ast-edge in "
            "/opt/ast-edge (docs/service.md), or use --user"
        )
    folder = Path("/etc/systemd/system")
    drop_ins = folder / f"{NAME}.d"
    shipped = unit_folder()
    secret = f"[Service]\nLoadCredential=mqtt-password:{PASSWORD}\n"
    packaged = PACKAGED.exists() and str(executable) == SHIPPED_PROGRAM
    return [
        File(folder / NAME, None if packaged else _filled(shipped / NAME, executable)),
        File(drop_ins / "gpu.conf", (shipped / "gpu.conf").read_text("utf-8") if gpu else None),
        File(drop_ins / "mqtt-password.conf", secret if password else None),
    ]


def user_unit(executable: Path) -> list[File]:
    """Return the file of a user's service."""
    home = os.environ.get("XDG_CONFIG_HOME", "")
    folder = Path(home) if Path(home).is_absolute() else Path.home() / ".config"
    return [
        File(folder / "systemd/user" / NAME, _filled(unit_folder() / "user" / NAME, executable))
    ]


def config_path(*, user: bool) -> Path:
    """Return where the service reads its configuration."""
    if not user:
        return Path("/etc/ast-edge/mic.yaml")
    home = os.environ.get("XDG_CONFIG_HOME", "")
    return (Path(home) if Path(home).is_absolute() else Path.home() / ".config") / (
        "ast-edge/mic.yaml"
    )


def is_hidden(path: Path) -> bool:
    """Tell whether the system's service cannot see a path: in a home, or in a folder like /tmp."""
    return any(path.resolve().is_relative_to(folder) for folder in HIDDEN)


def paths_in(tree: object) -> Iterator[Path]:
    """Yield what a configuration names of the file system."""
    if isinstance(tree, Path):
        yield tree
    elif isinstance(tree, Mapping):
        for value in tree.values():
            yield from paths_in(value)
    elif isinstance(tree, Section):
        yield from paths_in(dict(tree))


def _filled(path: Path, executable: Path) -> str:
    text = path.read_text("utf-8")
    # systemd takes a space as the end of a word and a percent sign as the start of a specifier.
    escaped = str(executable).replace("\\", "\\\\").replace("%", "%%").replace(" ", "\\x20")
    return text.replace(SHIPPED_PROGRAM, escaped)
