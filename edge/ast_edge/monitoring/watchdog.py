"""Signs of life for the service manager: ready, watchdog and a status line (systemd)."""

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ast_edge.audio.health import Health
from ast_edge.audio.stream import Block
from ast_edge.base.systemd import notify, watchdog_usec
from ast_edge.base.worker import Worker, workers
from ast_edge.detection.event import Event
from ast_edge.frontend.listener import Window

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
    """Tells systemd that sound arrives and is scored; an observer and a sink of the daemon.

    The watchdog is fed from the daemon's own thread, and only while sound that is heard gets scored
    and sources that are not heard say why. A microphone that is lost, and says so, is waited for,
    and the broker does not matter. Every thread is asked for a sign of life: a vital one that hangs
    needs a new start, any other is said. Source: sd_notify(3), sd_watchdog_enabled(3).
    """

    def __init__(
        self,
        submit: Callable[[Beat], None],
        stall_timeouts: Callable[[], Mapping[str, float]],
        threads: Callable[[], Iterable[Worker[Any]]] = workers,
    ) -> None:
        """Prepare to beat.

        Args:
            submit: runs an action in the daemon's thread.
            stall_timeouts: returns the sources that heal at present, and the seconds without sound
                after which each takes itself to be stalled.
            threads: returns those that are asked for a sign of life.
        """
        self._submit = submit
        self._stall_timeouts = stall_timeouts
        self._threads = threads
        self._hanging: set[str] = set()
        self._started = time.monotonic()
        self._ready = False
        self._unscored: dict[str, float] = {}
        self._heard: dict[str, float] = {}
        self._troubles: dict[str, str] = {}
        self._windows, self._seconds = 0, 0.0
        self._dropped = 0
        self._newest: Event | None = None
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

    def heard(self, block: Block) -> None:
        """Count sound that waits to be scored; the first makes the service ready."""
        source, stream = block.stream.source, block.stream
        seconds = len(block.samples) / stream.sample_rate
        before = self._unscored.get(source, 0.0) if block.start else 0.0
        self._unscored[source] = before + seconds
        self._heard[source] = time.monotonic()
        if self._troubles.get(source) in ("silent", "ended", "failed"):
            del self._troubles[source]
        if not self._ready:
            self._say_ready()

    def silent(self, source: str) -> None:
        """Take a source that has stopped delivering."""
        self._troubles.setdefault(source, "silent")

    def health(self, source: str, health: Health) -> None:
        """Take how the sound of a source arrives."""
        if health.condition == "ok":
            self._troubles.pop(source, None)
        else:
            self._troubles[source] = health.condition

    def ended(self, source: str, error: BaseException | None) -> None:
        """Expect nothing more of a source."""
        self._unscored.pop(source, None)
        self._heard.pop(source, None)
        self._troubles.pop(source, None)
        if error:
            self._troubles[source] = "failed"

    def scored(self, windows: Sequence[Window], seconds: float, dropped: int) -> None:
        """Take that sound was looked at."""
        for window in windows:
            self._unscored[window.stream.source] = 0.0
        if windows and dropped > self._dropped:
            self._unscored.clear()  # the engine is slow, which is said: the others wait their turn
        self._dropped = dropped
        self._windows += len(windows)
        self._seconds += seconds

    def publish(self, event: Event) -> None:
        """Remember the newest event for the status line."""
        self._newest = event

    def beat(self) -> list[Event]:
        """Say that all is well, if it is; called in the daemon's thread."""
        self._waiting.clear()
        if not self._ready and time.monotonic() - self._started > READY_SECONDS:
            self._say_ready()
        hanging = self._find_hanging()
        fault = self._find_fault(hanging)
        if fault and not self._fault:
            log.error("%s", fault)
        self._fault = fault
        notify(f"STATUS={fault or self._status()}", *([] if fault else ["WATCHDOG=1"]))
        self._windows, self._seconds = 0, 0.0
        return []

    def _find_hanging(self) -> list[Worker[Any]]:
        """Return the threads that give no sign of life; each is said once."""
        hanging = [thread for thread in self._threads() if thread.busy > HANGING_SECONDS]
        names = {thread.name for thread in hanging}
        for name in sorted(names - self._hanging):
            log.error("%s: hangs: busy with one thing for %.0f s", name, HANGING_SECONDS)
        self._hanging = names
        return hanging

    def _find_fault(self, hanging: Sequence[Worker[Any]]) -> str:
        """Say what only a new start can help; empty if nothing is like that."""
        if vital := [thread.name for thread in hanging if thread.vital]:
            return f"{', '.join(vital)}: hangs, and nothing goes on without it"
        unscored = [name for name, sound in self._unscored.items() if sound > UNSCORED_SECONDS]
        if unscored:
            return f"{', '.join(unscored)}: sound arrives but is not scored"
        now = time.monotonic()
        unheard = [
            name
            for name, stall_timeout in self._stall_timeouts().items()
            if now - self._heard.setdefault(name, now) > UNHEARD_SECONDS + stall_timeout
            and self._troubles.get(name) not in ("waiting", "stalled", "failed")
        ]
        return f"{', '.join(unheard)}: neither sound nor a reason why not" if unheard else ""

    def _say_ready(self) -> None:
        notify("READY=1", "STATUS=listening")
        self._ready = True

    def _status(self) -> str:
        """Say in one line how things are."""
        parts = ["listening"]
        if self._windows:
            parts.append(f"{1000 * self._seconds / self._windows:.0f} ms a window")
        parts += [f"{name}: {trouble}" for name, trouble in self._troubles.items()]
        parts += [f"{name}: hangs" for name in sorted(self._hanging)]
        if self._newest:
            clock = time.strftime("%H:%M:%S", time.localtime(self._newest.onset))
            parts.append(f"last {self._newest.label.name} ({self._newest.source}, {clock})")
        return "; ".join(parts)

    def _wait(self) -> bool | None:
        return None if self._closed.wait(_interval()) else True

    def _ask(self) -> None:
        # A daemon that does not get to it is not asked again, so that nothing piles up.
        if not self._waiting.is_set():
            self._waiting.set()
            self._submit(self.beat)


def _interval() -> float:
    """Return the seconds between two beats: half of what the manager allows."""
    allowed = watchdog_usec()
    return min(BEAT_SECONDS, allowed / 2e6) if allowed else BEAT_SECONDS
