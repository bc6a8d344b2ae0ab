"""Where a running daemon can be found by others on its machine."""

import os
from pathlib import Path

from ast_edge.base.state_folder import state_folder

SERVICE_FOLDER = Path("/run/ast-edge")
"""RuntimeDirectory=ast-edge of the system's service."""


def runtime_folder() -> Path:
    """Return the folder for sockets: that of the service, or that of the user; it may not exist.

    Sources: systemd.exec(5), XDG Base Directory Specification. Where there is neither, the folder
    for state serves: what stands in it is found to be stale after a reboot.

    Raises:
        ConfigError: if the user has no home directory.
    """
    if service := os.environ.get("RUNTIME_DIRECTORY"):  # several are separated by colons
        return Path(service.split(":")[0])
    user = os.environ.get("XDG_RUNTIME_DIR", "")
    if Path(user).is_absolute():
        return Path(user) / "ast-edge"
    return state_folder()


def find_sockets() -> list[Path]:
    """Return the sockets of the daemons that this user may have or administers, some stale.

    Raises:
        ConfigError: if the user has no home directory.
    """
    folders = dict.fromkeys([runtime_folder(), SERVICE_FOLDER, state_folder()])
    return [path for folder in folders for path in sorted(folder.glob("*.sock"))]
