"""Where bundles that did not ship with ast-edge are installed, to be found by their names."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

_SYSTEM = "/usr/local/share:/usr/share"
"""What the XDG Base Directory Specification has for an empty XDG_DATA_DIRS."""


def bundle_folders() -> list[Path]:
    """Return the folders of bundles, the first of which is where this user's are put.

    A service's own state comes first (systemd.exec(5)), then the data of the user, then that of
    the machine, where root puts them: a service can read it, but no home directory. Source: XDG
    Base Directory Specification.
    """
    return list(dict.fromkeys(folder / "ast-edge" / "bundles" for folder in _data_folders()))


def _data_folders() -> Iterator[Path]:
    if state := os.environ.get("STATE_DIRECTORY"):  # several are separated by colons
        yield Path(state.split(":")[0])
    machine = [Path(folder) for folder in (os.environ.get("XDG_DATA_DIRS") or _SYSTEM).split(":")]
    machine = [folder for folder in machine if folder.is_absolute()]
    if os.geteuid() == 0:
        yield from machine
    user = os.environ.get("XDG_DATA_HOME", "")
    if Path(user).is_absolute():  # what is not must be ignored, says the standard
        yield Path(user)
    else:
        with contextlib.suppress(RuntimeError):  # a user without a home has no data of their own
            yield Path.home() / ".local" / "share"
    yield from machine


def installed_bundles() -> dict[str, Path]:
    """Return the folders of all installed bundles, by name."""
    found: dict[str, Path] = {}
    for folder in bundle_folders():
        try:
            for path in sorted(folder.glob("*/bundle.json")):
                if not path.parent.name.startswith("."):
                    found.setdefault(path.parent.name, path.parent)
        except OSError:  # another's, which we may not search
            continue
    return found
