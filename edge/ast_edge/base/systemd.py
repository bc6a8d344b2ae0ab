"""Word to the service manager: the `sd_notify` protocol, without libsystemd."""

import logging
import os
import socket

log = logging.getLogger(__name__)


def notify(*assignments: str) -> None:
    """Send assignments such as `READY=1` to systemd; without a service manager, do nothing.

    A manager that cannot be reached is logged: it is no reason to stop. Source: sd_notify(3).
    """
    name = os.environ.get("NOTIFY_SOCKET")
    if not name:
        return
    address = "\0" + name[1:] if name.startswith("@") else name  # an abstract socket
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.sendto("\n".join(assignments).encode(), address)
    except OSError as exc:
        log.warning("NOTIFY_SOCKET=%s: cannot be reached: %s", name, exc.strerror or exc)


def watchdog_usec() -> int:
    """Return the microseconds that may pass between two `WATCHDOG=1`; 0 if there is no watchdog.

    Source: sd_watchdog_enabled(3).
    """
    allowed = os.environ.get("WATCHDOG_USEC", "")
    return int(allowed) if allowed.isdecimal() else 0
