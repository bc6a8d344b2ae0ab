"""Signs of life for the service manager: ready, watchdog and a status line (systemd)."""

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ast_edge.base.systemd import notify, watchdog_usec
from ast_edge.base.worker import Worker, workers
from ast_edge.detection.event import Event
from ast_edge.monitoring.reading import Reading, SourceReading
from ast_edge.monitoring.state import STATE_OF

log = logging.getLogger(__name__)

READY_SECONDS = 20.0
"""The service is ready with its first sound, or so long after the start: a microphone that is not
there is waited for, and must not keep the machine from booting."""
UNSCORED_SECONDS = 30.0
"""So much sound of a source may be heard without a window of it being scored."""
UNHEARD_SECONDS = 60.0
"""So long a source that heals may give neither sound nor a reason, beyond its stall timeout."""
HANGING_SECONDS = 60.0
"""So long a thread may be busy with one thing."""
RESTART_SECONDS = 120.0
"""So long a process may take that begins anew; TimeoutStartSec of the unit is for the first."""
BEAT_SECONDS = 5.0
"""Between two status lines, where there is no watchdog to be faster for."""

Beat = Callable[[], list[Event]]


class Watchdog:
    """Tells systemd that sound arrives and is scored: the renderer of readings as signs of life.

    The watchdog is fed from the daemon's own thread, and only while sound that is heard gets scored
    and sources that are not heard say why. A microphone that is lost, and says so, is waited for,
    and the broker does not matter. Every thread is asked for a sign of life: a vital one that hangs
    needs a new start, any other is said. Source: sd_notify(3), sd_watchdog_enabled(3).
    """

    def __init__(
        self,
        submit: Callable[[Beat], None],
        read: Callable[[], Reading],
        stall_timeouts: Callable[[], Mapping[str, float]],
        threads: Callable[[], Iterable[Worker[Any]]] = workers,
    ) -> None:
        """Prepare to beat.

        Args:
            submit: runs an action in the daemon's thread.
            read: returns how the sources are.
            stall_timeouts: returns the sources that heal at present, and the seconds without sound
                after which each takes itself to be stalled.
            threads: returns those that are asked for a sign of life.
        """
        self._submit = submit
        self._read = read
        self._stall_timeouts = stall_timeouts
        self._threads = threads
        self._hanging: set[str] = set()
        self._started = time.monotonic()
        self._ready = False
        self._windows, self._seconds = 0, 0.0
        """Scored before the last beat, and what they took."""
        self._fault = ""
        self._waiting = threading.Event()
        self._closed = threading.Event()
        self._timer = Worker("watchdog", self._wait, lambda _: self._ask())

    @staticmethod
    def wanted() -> bool:
        """Tell whether a service manager listens."""
        return "NOTIFY_SOCKET" in os.environ

    def start(self) -> None:
        """Begin to beat."""
        if allowed := watchdog_usec():  # a process before this one may have asked for more
            notify(f"WATCHDOG_USEC={allowed}")
        self._timer.start()

    def close(self, *, restarts: bool = False) -> None:
        """Say that the service stops, or that its process begins anew, and be silent."""
        self._closed.set()
        self._timer.join()
        if not restarts:
            notify("STOPPING=1")  # who says so and then does not stop is killed
            return
        notify("STATUS=restarting")
        if watchdog_usec():
            notify(f"WATCHDOG_USEC={round(RESTART_SECONDS * 1e6)}")

    @contextlib.contextmanager
    def reloading(self) -> Iterator[None]:
        """Say that the configuration is being read, for as long as it is; from any thread.

        Before the service is ready nothing is said: the READY=1 that ends a reload would be taken
        for the first.
        """
        if not self._ready:
            yield
            return
        # The service manager takes this as the sign that the signal has been understood.
        notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            yield
        finally:
            notify("READY=1")

    def changed(self, source: str, before: SourceReading, reading: Reading) -> None:
        """Take a change; the first sound makes the service ready."""
        if not self._ready and reading.sources[source].audio_seconds > before.audio_seconds:
            self._say_ready()

    def beat(self) -> list[Event]:
        """Say that all is well, if it is; called in the daemon's thread."""
        self._waiting.clear()
        if not self._ready and time.monotonic() - self._started > READY_SECONDS:
            self._say_ready()
        hanging, reading = self._find_hanging(), self._read()
        fault = self._find_fault(hanging, reading.sources)
        if fault and not self._fault:
            log.error("%s", fault)
        self._fault = fault
        notify(f"STATUS={fault or self._status(reading)}", *([] if fault else ["WATCHDOG=1"]))
        self._windows, self._seconds = reading.windows, reading.seconds
        return []

    def _find_hanging(self) -> list[Worker[Any]]:
        """Return the threads that give no sign of life; each is said once."""
        hanging = [thread for thread in self._threads() if thread.busy > HANGING_SECONDS]
        names = {thread.name for thread in hanging}
        for name in sorted(names - self._hanging):
            log.error("%s: hangs: busy with one thing for %.0f s", name, HANGING_SECONDS)
        self._hanging = names
        return hanging

    def _find_fault(
        self, hanging: Sequence[Worker[Any]], sources: Mapping[str, SourceReading]
    ) -> str:
        """Say what only a new start can help; empty if nothing is like that."""
        if vital := [thread.name for thread in hanging if thread.vital]:
            return f"{', '.join(vital)}: hangs, and nothing goes on without it"
        if unscored := [n for n, found in sources.items() if found.unscored > UNSCORED_SECONDS]:
            return f"{', '.join(unscored)}: sound arrives but is not scored"
        now, stall_timeouts = time.monotonic(), self._stall_timeouts()
        unheard = [
            name
            for name, found in sources.items()
            if name in stall_timeouts
            and now - found.heard_at > UNHEARD_SECONDS + stall_timeouts[name]
            and found.health.condition not in ("waiting", "stalled")
            and found.state != "failed"
        ]
        return f"{', '.join(unheard)}: neither sound nor a reason why not" if unheard else ""

    def _say_ready(self) -> None:
        notify("READY=1", "STATUS=listening")
        self._ready = True

    def _status(self, reading: Reading) -> str:
        """Say in one line how things are."""
        parts = ["listening"]
        if windows := reading.windows - self._windows:
            seconds = reading.seconds - self._seconds
            parts.append(f"{1000 * seconds / windows:.0f} ms a window")
        troubles = {name: _trouble(found) for name, found in reading.sources.items()}
        parts += [f"{name}: {trouble}" for name, trouble in troubles.items() if trouble]
        parts += [f"{name}: hangs" for name in sorted(self._hanging)]
        if newest := reading.newest:
            clock = time.strftime("%H:%M:%S", time.localtime(newest.onset))
            parts.append(f"last {newest.label.name} ({newest.source}, {clock})")
        return "; ".join(parts)

    def _wait(self) -> bool | None:
        return None if self._closed.wait(_interval()) else True

    def _ask(self) -> None:
        # A daemon that does not get to it is not asked again, so that nothing piles up.
        if not self._waiting.is_set():
            self._waiting.set()
            self._submit(self.beat)


def _trouble(found: SourceReading) -> str:
    """Say in a word what is wrong with a source; empty if nothing is."""
    if found.state in ("starting", "listening", "disabled", "ended"):
        return ""
    condition = found.health.condition
    return condition if STATE_OF[condition] == found.state else found.state


def _interval() -> float:
    """Return the seconds between two beats: half of what the manager allows."""
    allowed = watchdog_usec()
    return min(BEAT_SECONDS, allowed / 2e6) if allowed else BEAT_SECONDS
