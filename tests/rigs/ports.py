"""Ports for servers that a test starts and cannot let choose one for themselves."""

import itertools
import os
import random
import socket
from pathlib import Path

_WORKERS = 64
"""More processes of pytest-xdist than ever run at once."""


def _start_of_ephemeral() -> int:
    try:
        return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except (OSError, ValueError):  # not Linux
        return 32768


def _candidates() -> "itertools.cycle[int]":
    """Return the ports of this process, from some place on; no other process tries the same."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _WORKERS
    ports = list(range(10240 + worker, max(_start_of_ephemeral(), 12288), _WORKERS))
    begin = random.SystemRandom().randrange(len(ports))  # another run may be going on beside
    return itertools.cycle(ports[begin:] + ports[:begin])


_PORTS = _candidates()


def free_port() -> int:
    """Return a port of 127.0.0.1 that nothing uses and that stays free until a server takes it.

    One that the system chose (port 0) may be given to any connection of another test before the
    server has started; these are below all that the system gives away.
    """
    return next(port for port in _PORTS if _free(port))


def _free(port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(type=kind) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True
