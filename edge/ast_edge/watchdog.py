"""Signs of life for the service manager: ready, watchdog and a status line (systemd)."""

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence

from ast_edge.audio import Block
from ast_edge.events import Event
from ast_edge.health import OK, Health
from ast_edge.listener import Window
from ast_edge.notify import notify

log = logging.getLogger(__name__)

READY_SECONDS = 20.0
"""The service is ready with its first sound, or so long after the start: a microphone that is not
there is waited for, and must not keep the machine from booting."""
UNSCORED_SECONDS = 30.0
"""So much sound of a source may be heard without a window of it being scored."""
BEAT_SECONDS = 5.0
"""Between two status lines, where there is no watchdog to be faster for."""

Beat = Callable[[], list[Event]]


class Watchdog:
    """Tells systemd that sound arrives and is scored; an observer and a sink of the daemon.

    The watchdog is fed from the daemon's own thread, and only while sound that is heard gets
    scored. Without microphones there is nothing to score, and the broker does not matter: both are
    waited for. Source: sd_notify(3), sd_watchdog_enabled(3).
    """

    def __init__(self, submit: Callable[[Beat], None]) -> None:
        """Take what runs an action in the daemon's thread."""
        self._submit = submit
        self._started = time.monotonic()
        self._ready = False
        self._unscored: dict[str, float] = {}
        self._troubles: dict[str, str] = {}
        self._windows, self._seconds = 0, 0.0
        self._newest: Event | None = None
        self._stuck = False
        self._waiting = threading.Event()
        self._closed = threading.Event()
        self._timer = threading.Thread(target=self._run, name="watchdog", daemon=True)

    @staticmethod
    def wanted() -> bool:
        """Tell whether a service manager listens."""
        return "NOTIFY_SOCKET" in os.environ

    def start(self) -> None:
        """Begin to beat."""
        self._timer.start()

    def close(self) -> None:
        """Say that the service stops, and be silent."""
        self._closed.set()
        self._timer.join()
        notify("STOPPING=1")

    def heard(self, block: Block) -> None:
        """Count sound that waits to be scored; the first makes the service ready."""
        source, stream = block.stream.source, block.stream
        seconds = len(block.samples) / stream.sample_rate
        self._unscored[source] = self._unscored.get(source, 0.0) + seconds
        if self._troubles.get(source) in ("silent", "ended", "failed"):
            del self._troubles[source]
        if not self._ready:
            self._say_ready()

    def silent(self, source: str) -> None:
        """Take a source that has stopped delivering."""
        self._troubles.setdefault(source, "silent")

    def health(self, source: str, health: Health) -> None:
        """Take how the sound of a source arrives."""
        if health == OK:
            self._troubles.pop(source, None)
        else:
            self._troubles[source] = health.condition

    def ended(self, source: str, error: BaseException | None) -> None:
        """Expect nothing more of a source."""
        self._unscored.pop(source, None)
        self._troubles.pop(source, None)
        if error:
            self._troubles[source] = "failed"

    def scored(self, windows: Sequence[Window], seconds: float, dropped: int) -> None:
        """Take that sound was looked at."""
        for window in windows:
            self._unscored[window.stream.source] = 0.0
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
        late = [name for name, sound in self._unscored.items() if sound > UNSCORED_SECONDS]
        if late and not self._stuck:
            log.error("%s: sound arrives but is not scored", ", ".join(late))
        self._stuck = bool(late)
        words = [f"STATUS={self._status()}"]
        notify(*words, *([] if late else ["WATCHDOG=1"]))
        self._windows, self._seconds = 0, 0.0
        return []

    def _say_ready(self) -> None:
        self._ready = True
        notify("READY=1", "STATUS=listening")

    def _status(self) -> str:
        """Say in one line how things are."""
        parts = ["listening"]
        if self._windows:
            parts.append(f"{1000 * self._seconds / self._windows:.0f} ms a window")
        parts += [f"{name}: {trouble}" for name, trouble in self._troubles.items()]
        if self._newest:
            clock = time.strftime("%H:%M:%S", time.localtime(self._newest.onset))
            parts.append(f"last {self._newest.label.name} ({self._newest.source}, {clock})")
        return "; ".join(parts)

    def _run(self) -> None:
        while not self._closed.wait(_interval()):
            # A daemon that does not get to it is not asked again, so that nothing piles up.
            if not self._waiting.is_set():
                self._waiting.set()
                self._submit(self.beat)


def _interval() -> float:
    """Return the seconds between two beats: half of what the manager allows."""
    allowed = os.environ.get("WATCHDOG_USEC", "")
    return min(BEAT_SECONDS, int(allowed) / 2e6) if allowed.isdecimal() else BEAT_SECONDS
