"""Measure what the page costs the daemon, with viewers and without.

    python benchmarks/web.py
    python benchmarks/web.py --repeat 1 --seconds 10 --rounds 2    # a quick look

Runs `ast-edge run` with one source as a process of its own; the demo is played in real time, over
and over. Viewers take what they are sent as fast as it comes, in this process. Cases take turns,
and the difference to the case without a page is what the page costs.

Then one daemon with the page runs in this process, and viewers in another come and go: how long
after its last sample each window was scored, with so many viewers and without, in turns.
"""

import argparse
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from parts.daemon.audience import Audience
from parts.daemon.daemon_process import DaemonProcess
from parts.daemon.page_delay import DelayedDaemon
from parts.result import RESULTS, Result, Table, as_markdown
from parts.spread import spread

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "configs" / "demo" / "home.ogg"
ADDRESS, TOKEN = "127.0.0.1:18099", "only for benchmarks"
SETTLE = 8.0
"""Seconds before work is measured."""
PAUSE = 3.0
"""Seconds after viewers have come or gone, before delays count."""
AUDIENCES = (0, 1, 8)
WITHOUT = "no page"
CASES: dict[str, int | None] = {
    WITHOUT: None,
    "nobody looks": 0,
    "1 viewer": 1,
    "8 viewers": 8,
}


@dataclass
class Found:
    """What was measured of one case, once a turn."""

    cpu: list[float] = field(default_factory=list)
    """Share of a core."""
    memory: list[float] = field(default_factory=list)
    """MB."""
    sent: list[float] = field(default_factory=list)
    """Bytes a second to each viewer."""


def main() -> None:
    """Measure, save and print."""
    args = _arguments()
    found = {case: Found() for case in CASES}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        samples, rate = soundfile.read(DEMO, dtype="float32")
        length = round((SETTLE + args.seconds + 30) * rate)
        soundfile.write(folder / "sounds.wav", np.resize(samples, length), rate)
        for _ in range(args.repeat):
            for case, viewers in CASES.items():
                _measure(args, folder, viewers, found[case])
                print(f"{case}: {found[case].cpu[-1]:.2%} of a core", file=sys.stderr)
        ratios = _delays(args, folder)
    result = Result("The page")
    result.tables = [_table(found, args), _delay_table(ratios, args)]
    path = result.save("web", args.results)
    print(as_markdown(result), path, sep="\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeat", type=int, default=3, help="turns")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=10, help="turns of the delays")
    parser.add_argument("--phase", type=float, default=30.0, help="seconds of each part of a turn")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the result")
    return parser.parse_args()


def _measure(args: argparse.Namespace, folder: Path, viewers: int | None, found: Found) -> None:
    tree: dict[str, Any] = {"sources": {"hall": {"file": str(folder / "sounds.wav")}}}
    if viewers is not None:
        tree["web"] = {"listen": ADDRESS, "token": TOKEN}
    with DaemonProcess(folder / "daemon", tree) as daemon:
        audience = Audience(ADDRESS, TOKEN, "hall", viewers or 0)
        time.sleep(SETTLE)
        received = audience.received
        before, after = daemon.measure(args.seconds)
        seconds = after.seconds - before.seconds
        found.cpu.append((after.cpu - before.cpu) / seconds)
        found.memory.append(after.memory)
        found.sent.append((audience.received - received) / seconds / max(1, viewers or 0))
        audience.leave()


def _table(found: dict[str, Found], args: argparse.Namespace) -> Table:
    idle = found[WITHOUT]
    cpu, memory = statistics.median(idle.cpu), statistics.median(idle.memory)
    rows = [
        [
            case,
            f"{statistics.median(one.cpu):.2%}",
            f"{statistics.median(one.cpu) - cpu:+.2%}",
            f"{statistics.median(one.memory):.0f} MB",
            f"{statistics.median(one.memory) - memory:+.0f} MB",
            f"{statistics.median(one.sent) / 1000:.1f} kB/s" if CASES[case] else "",
        ]
        for case, one in found.items()
    ]
    columns = ["case", "of a core", "page", "resident", "page", "to each viewer"]
    note = (
        f"Medians of {args.repeat} turns of {args.seconds:g} s. Goals: nobody looks 0 % and 10 MB, "
        "one viewer 1 %, eight 5 %."
    )
    return Table("What the page costs the daemon", columns, rows, note)


def _delays(args: argparse.Namespace, folder: Path) -> dict[int, list[float]]:
    """Return the p95 of the delay in seconds with so many viewers, once a round."""
    samples, rate = soundfile.read(DEMO, dtype="float32")
    length = round((SETTLE + args.rounds * len(AUDIENCES) * (args.phase + PAUSE) + 30) * rate)
    soundfile.write(folder / "long.wav", np.resize(samples, length), rate)
    found: dict[int, list[float]] = {viewers: [] for viewers in AUDIENCES}
    with DelayedDaemon(folder, folder / "long.wav", ADDRESS, TOKEN) as daemon:
        time.sleep(SETTLE)
        for number in range(args.rounds):
            # Forth and back, so that what changes slowly is no one's.
            for viewers in AUDIENCES if number % 2 == 0 else reversed(AUDIENCES):
                delays = daemon.delays(viewers, PAUSE, args.phase)
                found[viewers].append(float(np.percentile(delays, 95)))
                print(f"{viewers} viewers: p95 {found[viewers][-1] * 1e3:.1f} ms", file=sys.stderr)
    return found


def _delay_table(found: dict[int, list[float]], args: argparse.Namespace) -> Table:
    alone = found[0]
    rows = [
        [
            f"{viewers}",
            spread([1000 * one for one in p95], 1),
            spread([one / other for one, other in zip(p95, alone, strict=True)], 3),
        ]
        for viewers, p95 in found.items()
    ]
    note = (
        f"Medians (and quartiles) of {args.rounds} turns of {args.phase:g} s for each number of "
        "viewers: from the last sample of a window to its scores, with hop 0.25 s. Goal: unchanged."
    )
    columns = ["viewers", "p95 ms", "to that of the same turn without"]
    return Table("The daemon's delay while people look on", columns, rows, note)


if __name__ == "__main__":
    main()
