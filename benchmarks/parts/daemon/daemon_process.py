"""`ast-edge run` as a process of its own, and what it takes of the machine."""

import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from ast_edge.monitoring.status_socket import ask

NODE = "benchmark"
READY_TIMEOUT = 300.0
"""Seconds; an engine that is built on the device takes minutes."""
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Usage:
    """What the process has taken since its start; without units: counts."""

    seconds: float
    """Monotonic time of this reading."""
    cpu: float
    """Seconds, of its children too; in steps of 10 ms."""
    memory: float
    """MB resident now."""
    children: float
    """MB that its children take, what they share with others divided among those."""
    switches: int
    """Times that one of its threads has gone to sleep, and so was woken."""
    heard: float
    """Seconds of sound of all sources together."""
    windows: int
    """Windows of all sources that were due: scored, or too quiet for it, or dropped."""
    dropped: int
    """Of these, those that the engine was too slow for."""


class DaemonProcess:
    """A daemon under a service manager of our own, which it tells when it is ready.

    All of its folders but the cache are in `folder`.
    """

    def __init__(
        self, folder: Path, tree: dict[str, Any], environment: dict[str, str] | None = None
    ) -> None:
        """Start it with a configuration, and wait until it is ready.

        Raises:
            SystemExit: it has ended instead, or takes more than 5 minutes.
        """
        folder.mkdir(parents=True, exist_ok=True)
        config, self._log = folder / "config.yaml", folder / "log"
        config.write_text(json.dumps({"node": NODE, **tree}))  # JSON is YAML
        self._status = folder / f"{NODE}.sock"
        paths = {"RUNTIME_DIRECTORY": str(folder), "STATE_DIRECTORY": str(folder / "state")}
        name = folder / "notify"
        with (
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager,
            self._log.open("wb") as log,
        ):
            name.unlink(missing_ok=True)
            manager.bind(str(name))
            manager.settimeout(0.2)
            begun = time.monotonic()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ast_edge", "run", "--config", config],
                stdin=subprocess.DEVNULL,
                stderr=log,
                env={**os.environ, "NOTIFY_SOCKET": str(name), **paths, **(environment or {})},
            )
            self._wait_ready(manager, begun + READY_TIMEOUT)
            self.ready = time.monotonic() - begun
            """Seconds from its start."""

    def __enter__(self) -> "DaemonProcess":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it.

        Raises:
            SystemExit: it did not end well, by itself or now.
        """
        self._process.terminate()
        if self._process.wait(60) and kind is None:
            self._fail("has failed")

    def measure(self, seconds: float) -> tuple[Usage, Usage]:
        """Let it work for so long; return its usage before and after.

        Raises:
            SystemExit: it has ended.
        """
        before = self.usage()
        time.sleep(seconds)
        return before, self.usage()

    def usage(self) -> Usage:
        """Read what it has taken so far; sources: proc_pid_stat(5), proc_pid_status(5),
        proc_pid_smaps(5).

        Raises:
            SystemExit: it has ended.
        """
        if self._process.poll() is not None:
            self._fail("has ended")
        process = Path(f"/proc/{self._process.pid}")
        pids = [pid for path in process.glob("task/*/children") for pid in path.read_text().split()]
        children = [process.with_name(pid) for pid in pids]
        threads = [task.read_text() for task in process.glob("task/*/status")]
        status = json.loads(ask(self._status))
        sources = status["sources"].values()
        dropped = sum(source["dropped_windows"] for source in sources)
        return Usage(
            seconds=time.monotonic(),
            cpu=sum(map(_cpu, [process, *children])),
            memory=int((process / "statm").read_text().split()[1]) * _PAGE / 1e6,
            children=sum(map(_proportional_memory, children)),
            switches=sum(_switches(thread) for thread in threads),
            heard=sum(source["audio_seconds"] for source in sources),
            windows=sum(source["windows"] for source in sources) + dropped,
            dropped=dropped,
        )

    def _wait_ready(self, manager: socket.socket, deadline: float) -> None:
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                self._fail("has ended before it was ready")
            try:
                if b"READY=1" in manager.recv(4096).split(b"\n"):
                    return
            except TimeoutError:
                continue
        self._process.kill()
        self._process.wait()
        self._fail("was not ready in time")

    def _fail(self, what: str) -> None:
        raise SystemExit(f"the daemon {what}; its log ends with:\n{self._log.read_text()[-3000:]}")


def _cpu(process: Path) -> float:
    """Return its seconds, and those of its children that have ended."""
    stat = (process / "stat").read_text().rpartition(")")[2].split()
    return sum(map(int, stat[11:15])) / _TICKS


def _proportional_memory(process: Path) -> float:
    kilobytes = (process / "smaps_rollup").read_text().partition("\nPss:")[2].split()[0]
    return int(kilobytes) * 1024 / 1e6


def _switches(status: str) -> int:
    return int(status.partition("\nvoluntary_ctxt_switches:")[2].split()[0])
