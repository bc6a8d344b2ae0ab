"""A child process that writes sound to its standard output, read without ever blocking for good."""

import contextlib
import logging
import os
import selectors
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence

_log = logging.getLogger(__name__)

_CHUNK = 65536
_LONGEST_LINE = 4096
_REAP_TIMEOUT = 2.0


class ChildError(Exception):
    """The child has failed, in the words for a log; never leaves the source that runs it."""


class ChildStalled(ChildError):
    """The child runs, but delivers nothing."""


class Child:
    """One run of a command.

    The child holds the read end of a pipe as its standard input: it sees the end of it when this
    process is gone, however that came about.
    """

    def __init__(
        self,
        command: Sequence[str],
        secrets: Mapping[str, str] | None = None,
        complaint_in: Callable[[str], str] = lambda line: line,
    ) -> None:
        """Start `command` in the folder `/`.

        Args:
            secrets: what must not be shown of what it says, with what to show instead.
            complaint_in: returns the complaint that a line of its standard error is, if it is one.

        Raises:
            ChildError: it cannot be started.
        """
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                # `python -m` imports from the working directory first: not from a user's folder.
                cwd="/",
                # Out of reach of the terminal's Ctrl-C, which is for the parent to act on.
                start_new_session=True,
            )
        except OSError as exc:
            raise ChildError(f"{command[0]} cannot be started: {exc.strerror}") from exc
        stdin, stdout, stderr = self._process.stdin, self._process.stdout, self._process.stderr
        assert stdin is not None
        assert stdout is not None
        assert stderr is not None
        self._pipes = (stdin, stdout, stderr)
        self._out, self._err = stdout.fileno(), stderr.fileno()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._out, selectors.EVENT_READ)
        self._selector.register(self._err, selectors.EVENT_READ)
        self._received = bytearray()
        self._secrets = secrets or {}
        self._complaint_in = complaint_in
        self._complaint = ""
        self._complaint_rest = b""

    def wait(self, timeout: float) -> None:
        """Return when there is something to read; raises as `read` does."""
        deadline = time.monotonic() + timeout
        while not self._received:
            self._receive(deadline, timeout)

    def read(self, size: int, timeout: float) -> bytes:
        """Return exactly `size` bytes of its output.

        Raises:
            ChildError: they have not come within `timeout` seconds, or the child has ended.
        """
        deadline = time.monotonic() + timeout
        while len(self._received) < size:
            self._receive(deadline, timeout)
        data = bytes(self._received[:size])
        del self._received[:size]
        return data

    def read_line(self, timeout: float) -> str:
        """Return a line of its output without the line feed; raises as `read` does."""
        deadline = time.monotonic() + timeout
        while (end := self._received.find(b"\n")) < 0:
            if len(self._received) > _LONGEST_LINE:
                raise ChildError("expected a line of text, got something else")
            self._receive(deadline, timeout)
        return self.read(end + 1, timeout)[:-1].decode(errors="replace")

    def kill(self) -> None:
        """Let the child end; returns at once, from any thread, any number of times."""
        self._process.kill()

    def close(self) -> None:
        """Kill and reap the child and close the pipes to it; only from the thread that reads."""
        self.kill()
        try:
            self._process.wait(_REAP_TIMEOUT)
        except subprocess.TimeoutExpired:  # in the kernel's hands, as with a dying USB device
            _log.warning("process %d does not die; leaving it behind", self._process.pid)
        self._selector.close()
        for pipe in self._pipes:
            pipe.close()

    def _receive(self, deadline: float, timeout: float) -> None:
        """Wait for more output and keep it."""
        while True:
            ready = self._selector.select(max(deadline - time.monotonic(), 0))
            descriptors = [key.fd for key, _ in ready]
            if self._err in descriptors:
                self._receive_complaint()
            if self._out in descriptors:
                data = os.read(self._out, _CHUNK)
                if not data:
                    raise ChildError(self._last_words())
                self._received += data
                return
            if time.monotonic() >= deadline:
                raise ChildStalled(f"no data for {timeout:.1f} s")

    def _receive_complaint(self) -> None:
        """Keep the last line of what the child writes to its standard error."""
        text = os.read(self._err, _CHUNK)
        if not text:
            self._selector.unregister(self._err)
            return
        # By whole lines: the half of a secret could not be told.
        *lines, rest = (self._complaint_rest + text).split(b"\n")
        self._complaint_rest = rest[-_CHUNK:]
        for line in lines:
            if said := self._readable(line):
                self._complaint = said
                _log.debug("process %d: %s", self._process.pid, said)

    def _readable(self, line: bytes) -> str:
        """Return the complaint in a line as text, without what must not be shown."""
        text = self._complaint_in(line.decode(errors="replace")).strip()
        for secret, shown in self._secrets.items():
            text = text.replace(secret, shown)
        return text[-_LONGEST_LINE:]

    def _last_words(self) -> str:
        """Say why the child has ended: the last line of its standard error, or its status."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_REAP_TIMEOUT)
        os.set_blocking(self._err, False)  # a grandchild may hold it open
        with contextlib.suppress(BlockingIOError):
            while self._err in self._selector.get_map():
                self._receive_complaint()
        said = self._readable(self._complaint_rest) or self._complaint
        return said or f"it ended with status {self._process.returncode}"
