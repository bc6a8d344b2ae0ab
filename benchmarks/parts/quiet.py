"""Whether the machine was left alone while something was measured, as Linux counts it."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from multiprocessing import active_children
from pathlib import Path

STAT = Path("/proc/stat")
TICKS = os.sysconf("SC_CLK_TCK")
BUSY = (0, 1, 2, 5, 6)
"""Columns of a processor: user, nice, system, interrupts."""
STOLEN = 7
"""Taken by the machine below this one."""
OTHERS_LIMIT, STOLEN_LIMIT = 0.05, 0.02
"""Of one core; a tick of 10 ms is a hundredth of the second that a turn takes at least."""


@dataclass(frozen=True)
class Quiet:
    """What else the processors did meanwhile."""

    wall: float
    """Seconds."""
    own: float
    """CPU seconds of this process and of its children."""
    others: float
    """CPU seconds of everything else on the processors that this one may use."""
    stolen: float
    """CPU seconds that the host gave to someone else."""

    @property
    def faults(self) -> list[str]:
        """What kept the machine from being quiet, in words; none if it was."""
        found = []
        if self.others > OTHERS_LIMIT * self.wall:
            found.append(f"other processes took {self.others / self.wall:.0%} of a core")
        if self.stolen > STOLEN_LIMIT * self.wall:
            found.append(f"the host took away {self.stolen / self.wall:.0%} of a core")
        return found


class Watch:
    """Takes the time of all processors and of this process; `found` once it has ended."""

    def __init__(self) -> None:
        self.found = Quiet(0.0, 0.0, 0.0, 0.0)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Measure within the context."""
        busy, stolen = processor_seconds(STAT.read_text(), os.sched_getaffinity(0))
        own, wall = own_seconds(), time.perf_counter()
        yield
        wall, own = time.perf_counter() - wall, own_seconds() - own
        busy_now, stolen_now = processor_seconds(STAT.read_text(), os.sched_getaffinity(0))
        others = max(0.0, busy_now - busy - own)
        self.found = Quiet(wall, own, others, stolen_now - stolen)


def together(quiets: Sequence[Quiet]) -> Quiet:
    """Add up several turns: what took little of one of them decides nothing."""
    return Quiet(*(sum(values) for values in zip(*map(astuple, quiets), strict=True)))


def own_seconds() -> float:
    """Return the CPU seconds of this process, of its children and of those that have ended."""
    ended = os.times()
    seconds = time.process_time() + ended.children_user + ended.children_system
    for child in active_children():
        stat = Path(f"/proc/{child.pid}/stat").read_text(encoding="utf-8")
        user, system = stat.rpartition(")")[2].split()[11:13]
        seconds += (int(user) + int(system)) / TICKS
    return seconds


def processor_seconds(stat: str, processors: set[int]) -> tuple[float, float]:
    """Return how long these processors were busy and stolen, by the text of /proc/stat."""
    busy = stolen = 0
    for line in stat.splitlines():
        name, *columns = line.split()
        if name.startswith("cpu") and name[3:].isdigit() and int(name[3:]) in processors:
            ticks = [int(column) for column in columns]
            busy += sum(ticks[column] for column in BUSY)
            stolen += ticks[STOLEN]
    return busy / TICKS, stolen / TICKS
