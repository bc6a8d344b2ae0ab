"""Where the daemon keeps what it must remember over a restart."""

import os
from pathlib import Path

from ast_edge.base.errors import ConfigError

SERVICE_FOLDER = Path("/var/lib/ast-edge")
"""StateDirectory=ast-edge of the system's service."""


def state_folder() -> Path:
    """Return the folder for state: that of the service, or that of the user; it may not exist yet.

    Sources: systemd.exec(5), XDG Base Directory Specification.

    Raises:
        ConfigError: if the user has no home directory.
    """
    if service := os.environ.get("STATE_DIRECTORY"):  # several are separated by colons
        return Path(service.split(":")[0])
    user = os.environ.get("XDG_STATE_HOME", "")
    if Path(user).is_absolute():  # what is not must be ignored, says the standard
        return Path(user) / "ast-edge"
    try:
        return Path.home() / ".local" / "state" / "ast-edge"
    except RuntimeError as exc:
        raise ConfigError(f"no folder for state: {exc}; set XDG_STATE_HOME") from exc
