"""A daemon with its page in this process, whose delays are noted."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from ast_edge.app.plan import load_plan
from ast_edge.app.reload import Reload
from ast_edge.app.report import make_report
from ast_edge.app.service import Service
from ast_edge.audio.health import Health
from ast_edge.audio.stream import Block
from ast_edge.engines.open_engines import Engines
from ast_edge.frontend.listener import Window
from ast_edge.web.page import Page

HOP = 0.25
SOURCE = "hall"


class Delays:
    """Notes of each window how long after its last sample it was scored."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def scored(self, windows: Sequence[Window], seconds: float, dropped: int) -> None:
        """Note the delays of a batch."""
        now = time.time()
        self.seconds += [now - window.heard_at for window in windows]

    def heard(self, block: Block) -> None:
        """Do nothing."""

    def silent(self, source: str) -> None:
        """Do nothing."""

    def health(self, source: str, health: Health) -> None:
        """Do nothing."""

    def ended(self, source: str, error: BaseException | None) -> None:
        """Do nothing."""


class DelayedDaemon:
    """Plays a recording in real time; nothing of it is kept but in a folder."""

    def __init__(self, folder: Path, recording: Path, address: str, token: str) -> None:
        """Prepare to serve the page at HOST:PORT."""
        config = folder / "delays.yaml"
        tree = {
            "node": "benchmark-delays",
            "sources": {SOURCE: {"file": str(recording)}},
            "hop": HOP,
            "history": False,
            "web": {"listen": address, "token": token},
        }
        config.write_text(json.dumps(tree))
        plan = load_plan(config)
        self._engines = Engines(plan.config.engine)
        self._engines.open(plan.bundles)
        self._service, self._noted = Service(plan, self._engines), Delays()
        self._service.observers.append(self._noted)
        reload = Reload(config)
        self._page = Page(self._service, lambda: make_report(self._service, reload))
        self._thread = threading.Thread(target=self._service.daemon.run)
        self._visit = [sys.executable, "-m", "parts.daemon.audience", address, token, SOURCE]

    def __enter__(self) -> "DelayedDaemon":
        assert self._page.server
        self._thread.start()
        if not self._page.server.listens.wait(10):
            raise SystemExit("the page cannot be served")
        return self

    def __exit__(self, *_: object) -> None:
        self._page.close()
        self._service.daemon.stop()
        self._thread.join()
        self._service.close()
        self._engines.close()

    def delays(self, viewers: int, pause: float, seconds: float) -> list[float]:
        """Let so many look on; return the delays of the windows, but those of the pause before.

        Raises:
            SystemExit: they saw nothing.
        """
        folder = Path(__file__).parents[2]
        command = [*self._visit, str(viewers)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, cwd=folder) as audience:
            time.sleep(pause)
            begin = len(self._noted.seconds)
            time.sleep(seconds)
            found = self._noted.seconds[begin:]
        if audience.returncode:
            raise SystemExit("the viewers saw nothing")
        return found
