"""Reading the configuration again while the daemon runs."""

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ast_edge.app.config import Config
from ast_edge.app.plan import Plan, load_plan
from ast_edge.app.service import Service
from ast_edge.base.errors import AstError
from ast_edge.base.log_format import EVERY_TIME
from ast_edge.base.mailbox import Mailbox
from ast_edge.monitoring.watchdog import Watchdog

log = logging.getLogger(__name__)

_FAULT = "a fault of ast-edge, which its log tells"
CLOSE_TIMEOUT = 5.0
"""Seconds that `close` waits for a reload that is under way."""


@dataclass(frozen=True)
class Reloaded:
    """How the newest reload went."""

    time: float
    """Unix seconds."""
    refusal: str = ""
    """Why the configuration of before goes on; empty if the new one is followed."""


class Reload:
    """Lets the service follow its configuration file when it is asked to.

    A file that cannot be followed is refused in one line of the log, and nothing changes. Reading
    and connecting happen in a thread of its own: no sound is lost meanwhile.
    """

    def __init__(self, path: Path, load: Callable[[Path], Plan] = load_plan) -> None:
        """Take the file, and what loads the plan that it holds."""
        self.path, self._load = path, load
        self.newest: Reloaded | None = None
        self._mailbox = Mailbox("reload", self._fail)
        self._service: Service | None = None
        self._watchdog: Watchdog | None = None
        self._followed: Sequence[Callable[[Config], None]] = ()
        self._on_terminal = os.isatty(2)

    def request(self) -> None:
        """Reload soon, after `start`; safe in a signal handler."""
        self._mailbox.put(self._reload)  # a SimpleQueue: its `put` may interrupt itself

    def start(
        self,
        service: Service,
        watchdog: Watchdog | None = None,
        *followed: Callable[[Config], None],
    ) -> None:
        """Reload what was asked for and will be; the watchdog tells the service manager.

        Each of `followed` is called with every configuration that the service follows.
        """
        self._service, self._watchdog, self._followed = service, watchdog, followed
        self._mailbox.start()

    def follow_now(self, alive: Callable[[], None]) -> str:
        """Reload, and return why that was refused; empty if the configuration is followed.

        To be called in another thread than the daemon's. `alive` is called again and again.
        """
        done, newest = threading.Event(), list[Reloaded]()

        def act() -> None:
            try:
                assert self._service
                with self._watchdog.reloading() if self._watchdog else contextlib.nullcontext():
                    newest.append(self._follow(self._service))
            finally:
                done.set()

        self._mailbox.put(act)
        while not done.wait(timeout=0.5):
            alive()
        return newest[0].refusal if newest else _FAULT

    def close(self) -> None:
        """Reload nothing any more."""
        self._mailbox.close(lambda: None, CLOSE_TIMEOUT)

    def _reload(self) -> None:
        assert self._service
        if self._on_terminal and not os.isatty(2):
            # A terminal that is closed sends the signal, too.
            self._service.daemon.stop()
            return
        with self._watchdog.reloading() if self._watchdog else contextlib.nullcontext():
            self._follow(self._service)

    def _fail(self) -> None:
        self.newest = Reloaded(time.time(), _FAULT)

    def _follow(self, service: Service) -> Reloaded:
        try:
            change = service.change(self._load(self.path))
            for follow in self._followed:
                follow(service.plan.config)
            self.newest = newest = Reloaded(time.time())
            what = str(change) or "nothing has changed"
            log.info("configuration reloaded: %s", what, extra=EVERY_TIME)
        except AstError as exc:
            self.newest = newest = Reloaded(time.time(), str(exc))
            log.error(
                "reload refused: %s; the configuration of before goes on", exc, extra=EVERY_TIME
            )
        return newest
