"""Measure what the page costs the daemon, with viewers and without.

    python benchmarks/web.py
    python benchmarks/web.py --seconds 10    # a quick look

Runs `ast-edge run` with one source as a process of its own; the demo is played in real time, over
and over. Viewers take what they are sent as fast as it comes, in this process. Cases take turns,
and the difference to the case without a page is what the page costs.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import soundfile
from parts.daemon_process import DaemonProcess
from parts.result import RESULTS, Result, Table
from parts.result_text import as_markdown

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "configs" / "demo" / "home.ogg"
ADDRESS, TOKEN = "127.0.0.1:18099", "only for benchmarks"
SETTLE = 8.0
"""Seconds before work is measured."""
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
    result = Result("The page")
    result.tables = [_table(found, args)]
    path = result.save("web", args.results)
    print(as_markdown(result), path, sep="\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeat", type=int, default=3, help="turns")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each measurement")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the result")
    return parser.parse_args()


def _measure(args: argparse.Namespace, folder: Path, viewers: int | None, found: Found) -> None:
    tree: dict[str, Any] = {"sources": {"hall": {"file": str(folder / "sounds.wav")}}}
    if viewers is not None:
        tree["web"] = {"listen": ADDRESS, "token": TOKEN}
    with DaemonProcess(folder / "daemon", tree) as daemon:
        audience = Audience(viewers or 0)
        time.sleep(SETTLE)
        received = audience.received
        before, after = daemon.measure(args.seconds)
        seconds = after.seconds - before.seconds
        found.cpu.append((after.cpu - before.cpu) / seconds)
        found.memory.append(after.memory)
        found.sent.append((audience.received - received) / seconds / max(1, viewers or 0))
        audience.leave()


class Audience:
    """Viewers in a thread of their own."""

    def __init__(self, viewers: int) -> None:
        """Look on at once."""
        self.received = 0
        self._viewers = viewers
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def leave(self) -> None:
        """Go away.

        Raises:
            SystemExit: nothing was sent.
        """
        if self._viewers and not self.received:
            raise SystemExit("the page has sent nothing")
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        tasks = [self._loop.create_task(self._look()) for _ in range(self._viewers)]
        self._loop.run_forever()
        for task in tasks:
            task.cancel()
        if tasks:
            self._loop.run_until_complete(asyncio.wait(tasks))
        self._loop.close()

    async def _look(self) -> None:
        head = {"X-Ast-Edge": "1"}
        jar = aiohttp.CookieJar(unsafe=True)  # which takes cookies of an address
        async with aiohttp.ClientSession(f"http://{ADDRESS}", headers=head, cookie_jar=jar) as own:
            async with own.post("/api/login", json={"token": TOKEN}) as answer:
                answer.raise_for_status()
            async with own.ws_connect("/api/live?source=hall") as socket:
                async for message in socket:
                    self.received += len(message.data)


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


if __name__ == "__main__":
    main()
