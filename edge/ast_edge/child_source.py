"""A source that never gives up: it runs a child process and starts it again when it fails."""

import json
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence

from ast_edge.audio import Block, Stream
from ast_edge.child import Child, ChildError
from ast_edge.pcm import PcmFormat
from ast_edge.sample_clock import SampleClock

_log = logging.getLogger(__name__)

_FIRST_DELAY = 0.5
_LONGEST_DELAY = 10.0
# A small computer that is busy booting needs seconds to start a process and open a device.
_START_TIMEOUT = 5.0


class ChildSource:
    """The sound that a command writes to its standard output.

    The command is killed when nothing comes, and started again for ever, after 0.5 s at first and
    10 s at last. Every start is a new `Stream`. It begins where the sound is real, so a sound that
    has run away from the wall clock (lost samples, a set clock, a crystal that is slightly off)
    becomes a new `Stream` as well.
    """

    def __init__(
        self,
        name: str,
        title: str,
        command: Sequence[str],
        *,
        pcm: PcmFormat | None = None,
        stall_timeout: float = 3.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Prepare to run `command`; nothing is started yet.

        Args:
            title: what it listens to, as log messages name it: "microphone 'default'".
            pcm: the format of the output; None when the command says it in a first line of JSON
                with `sample_rate` and `channels`, and s16le follows.
            stall_timeout: seconds without data after which the command is started again.
            clock: Unix time in seconds.
        """
        self.name = name
        self._title = title
        self._command = command
        self._pcm = pcm
        self._stall_timeout = stall_timeout
        self._clock = clock
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._child: Child | None = None
        self._streams = 0
        self._lost_at: float | None = None

    @property
    def restarts(self) -> int:
        """Number of gaps so far: streams after the first one."""
        return max(self._streams - 1, 0)

    def blocks(self) -> Iterator[Block]:
        """Yield blocks of 100 ms until `close`."""
        delay = _FIRST_DELAY
        while not self._closed.is_set():
            began = time.monotonic()
            try:
                yield from self._run()
            except ChildError as exc:
                if self._closed.is_set():  # it was `close` that ended the child
                    return
                self._log_loss(str(exc))
            if time.monotonic() - began > _LONGEST_DELAY:
                delay = _FIRST_DELAY
            self._closed.wait(delay * random.uniform(0.75, 1.25))
            delay = min(2 * delay, _LONGEST_DELAY)

    def close(self) -> None:
        """Kill the child and make `blocks` return, whatever it waits for."""
        with self._lock:
            self._closed.set()
            child = self._child
        if child is not None:
            child.kill()

    def _run(self) -> Iterator[Block]:
        """Yield what one child delivers, until it fails."""
        with self._lock:
            if self._closed.is_set():
                return
            child = self._child = Child(self._command)
        try:
            timeout = max(self._stall_timeout, _START_TIMEOUT)
            pcm = self._pcm or _announced(child.read_line(timeout))
            clock: SampleClock | None = None
            position = 0
            while True:
                samples = pcm.decode(child.read(pcm.block_bytes, timeout))
                now, end = self._clock(), position + len(samples)
                if clock is not None and clock.has_run_away(end, now):
                    self._log_run_away(clock.error(end, now))
                    clock, position = None, 0
                if clock is None:
                    clock = SampleClock(pcm.sample_rate, now - len(samples) / pcm.sample_rate)
                    stream = self._open_stream(pcm, clock.started_at)
                    timeout = self._stall_timeout
                yield Block(stream, position, samples)
                position += len(samples)
        finally:
            with self._lock:
                self._child = None
            child.close()

    def _open_stream(self, pcm: PcmFormat, started_at: float) -> Stream:
        if self._lost_at is not None:
            gone = time.monotonic() - self._lost_at
            _log.warning("%s is back after %.0f s", self._title, gone)
            self._lost_at = None
        self._streams += 1
        return Stream(self.name, pcm.sample_rate, pcm.channels, started_at, live=True)

    def _log_run_away(self, error: float) -> None:
        _log.warning(
            "%s: its time is %.1f s off, a lasting %s; starting a new stream",
            self._title,
            abs(error),
            "delay" if error > 0 else "lead",
        )

    def _log_loss(self, reason: str) -> None:
        """Say that the sound is gone, once until it is back."""
        if self._lost_at is None:
            self._lost_at = time.monotonic()
            _log.warning("%s: %s (opening it again)", self._title, reason)
        else:
            _log.debug("%s: still gone: %s", self._title, reason)


def _announced(line: str) -> PcmFormat:
    """Read the format that a child gives in its first line."""
    try:
        header = json.loads(line)
        return PcmFormat("s16le", int(header["sample_rate"]), int(header["channels"]))
    except (ValueError, KeyError, TypeError) as exc:
        raise ChildError(f"expected sample_rate and channels as JSON, got {line:.60}") from exc
