"""A socket on which a running daemon says how it is, to its own user and to root."""

import contextlib
import fcntl
import logging
import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path

from ast_edge.base.errors import ConfigError
from ast_edge.base.worker import Worker

log = logging.getLogger(__name__)

TIMEOUT = 2.0
"""Seconds that a client has to take the answer."""
ASK_TIMEOUT = 10.0
"""Seconds to wait for an answer, behind other clients perhaps."""
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid: `struct ucred` of unix(7)


class StatusSocket:
    """Answers every connection with one document, then closes it.

    The socket has mode 0600, and the user at the other end is checked as well. A socket that a
    daemon has left behind is replaced. Where none can be made, a warning says so: sounds are
    detected without it.

    Raises:
        ConfigError: another daemon has this socket.
    """

    def __init__(self, path: Path, answer: Callable[[], bytes]) -> None:
        """Begin to answer; `answer` is called in a thread of its own."""
        self._path, self._answer = path, answer
        self._closing = False
        self._listener: socket.socket | None = None
        self._lock: int | None = None
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = _lock(path.with_suffix(".lock"))
            self._listener = _listen(path)
        except OSError as exc:
            log.warning("%s: cannot be made: %s; no `ast-edge status`", path, exc.strerror or exc)
            self.close()
            return
        self._thread = Worker("status", self._accept, self._serve)
        self._thread.start()

    def close(self) -> None:
        """Stop to answer, and remove the socket."""
        if self._listener:
            self._closing = True
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes `accept`
            self._thread.join(TIMEOUT)
            self._listener.close()
            self._path.unlink(missing_ok=True)
            self._listener = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _accept(self) -> socket.socket | None:
        """Wait for a client; there is none any more when the socket is closed."""
        assert self._listener
        try:
            return self._listener.accept()[0]
        except OSError:
            if self._closing:
                return None
            raise

    def _serve(self, client: socket.socket) -> None:
        with client:
            client.settimeout(TIMEOUT)
            if not _is_trusted(client):
                return
            answer = self._answer()
            with contextlib.suppress(OSError):  # a client that goes away
                client.sendall(answer)


def ask(path: Path) -> bytes:
    """Return what the daemon answers at a socket.

    Raises:
        OSError: there is none any more, it does not answer, or it does not know us.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(ASK_TIMEOUT)
        client.connect(str(path))
        received = bytearray()
        while data := client.recv(65536):
            received += data
    if not received:
        raise PermissionError(0, "the daemon does not answer this user, or cannot; see its log")
    return bytes(received)


def _listen(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.unlink(missing_ok=True)  # nobody has it: we hold the lock
        os.fchmod(listener.fileno(), 0o600)  # before it can be found
        listener.bind(str(path))
        listener.listen(4)
    except OSError:
        listener.close()
        raise
    return listener


def _lock(path: Path) -> int:
    """Return a lock that ends with the process."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        os.close(descriptor)
        raise ConfigError(
            f"another ast-edge with the node {path.stem!r} is running ({path} is locked); stop it, "
            "or give each its own `node`"
        ) from exc
    return descriptor


def _is_trusted(client: socket.socket) -> bool:
    data = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, user, _ = _CREDENTIALS.unpack(data)
    return user in (0, os.geteuid())
