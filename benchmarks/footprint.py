"""Measure what the runtime takes of a machine: start, memory, work, wake-ups and disk.

    python benchmarks/footprint.py
    python benchmarks/footprint.py --repeat 1 --seconds 5    # a quick look

Runs `ast-edge run` with one source as a process of its own, under a service manager of our own that
notes when it says READY: when the engine has run and the first sound has come. A first start finds
neither the bytecode of Python's modules nor anything in the cache of engines, the next kind the
bytecode only, the last both; they take turns. (Engines for processors keep nothing in the cache,
TensorRT's do.) Files that were read before are in the memory of the system.

A recording is played in real time at 48 kHz, with sounds in it, then silence with the silence gate.
Then a virtual microphone is listened to, once and four times, if PulseAudio is here.
"""

import argparse
import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from parts.daemon.daemon_process import DaemonProcess
from parts.installed_size import installed_sizes
from parts.result import RESULTS, Plot, Result, Table, as_markdown

from ast_edge.engines.choice import ENGINES

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from rigs.sound import pulse  # noqa: E402

DEMO = ROOT / "configs" / "demo" / "home.ogg"
RATE = 48_000
"""As most microphones have it."""
SETTLE = 10.0
"""Seconds before memory and work are measured."""
QUIET = -60.0
"""dBFS of the silence gate."""
MICROPHONES = {"microphone": 1, "4 microphones": 4}
FIRST, UNCACHED, CACHED = "first start", "no model cached", "all cached"


@dataclass(frozen=True)
class Work:
    """What a daemon took once it had settled."""

    cpu: float
    """CPU seconds per second of sound, of all its processes."""
    memory: float
    """MB resident."""
    children: float
    """MB of a process that records."""
    wakes: float
    """Times a second that one of its threads is woken."""


def main() -> None:
    """Measure, save and print."""
    args = _arguments()
    result = Result("Start and footprint")
    starts: dict[str, dict[str, list[float]]] = {}
    works: dict[tuple[str, str], Work] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        _write_sounds(folder, SETTLE + args.seconds + 20)
        for engine in args.engine:
            starts[engine] = _starts(args, folder, engine)
            for sound in _sounds():
                works[engine, sound] = _work(args, folder, engine, sound)
    result.tables = [_start_table(starts), _work_table(works), _disk_table(args.extra)]
    result.plots = [_start_plot(engine, found) for engine, found in starts.items()]
    path = result.save("footprint", args.results)
    print(as_markdown(result), path, sep="\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engine", nargs="+", choices=ENGINES, default=["openvino", "onnxruntime"])
    parser.add_argument("--bundle", default="home")
    parser.add_argument("--threads", type=int, default=0, help="of the engine; 0 is its own choice")
    parser.add_argument("--repeat", type=int, default=5, help="starts of each kind")
    parser.add_argument("--seconds", type=float, default=30.0, help="of each measurement")
    parser.add_argument("--extra", nargs="*", default=["demo", "onnxruntime"])
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the result")
    return parser.parse_args()


def _write_sounds(folder: Path, seconds: float) -> None:
    """Write the demo over and over, and silence."""
    samples, rate = soundfile.read(DEMO, dtype="float32")
    samples = np.resize(soxr.resample(samples, rate, RATE), round(seconds * RATE))
    soundfile.write(folder / "sounds.wav", samples, RATE)
    soundfile.write(folder / "silence.wav", np.zeros_like(samples), RATE)


def _sounds() -> list[str]:
    if why := pulse.available():
        print(f"no microphone: {why}", file=sys.stderr)
        return ["sounds", "silence"]
    return ["sounds", "silence", *MICROPHONES]


def _tree(args: argparse.Namespace, folder: Path, engine: str, sound: str) -> dict[str, Any]:
    """Return the configuration of the daemon."""
    source: dict[str, Any] = {"file": str(folder / f"{sound}.wav")}
    if sound == "silence":
        source["gate"] = QUIET
    if sound in MICROPHONES:
        source = {"microphone": pulse.DEVICE, "muted_after": 0}
    count = MICROPHONES.get(sound, 1)
    return {
        "bundle": args.bundle,
        "engine": {"name": engine, "threads": args.threads},
        "sources": {f"source{number}": source for number in range(count)},
        "jsonl": "events.jsonl",
    }


# What is measured


def _starts(args: argparse.Namespace, folder: Path, engine: str) -> dict[str, list[float]]:
    """Return the seconds from start to ready, by the kind of start."""
    tree = _tree(args, folder, engine, "sounds")
    found: dict[str, list[float]] = {FIRST: [], UNCACHED: [], CACHED: []}
    kept = {"CACHE_DIRECTORY": str(folder / "cache")}
    with DaemonProcess(folder / "daemon", tree, kept):
        pass  # fills the cache, and compiles the modules for good
    for number in range(args.repeat):
        for kind, seconds in found.items():
            fresh = folder / f"{engine} {number} {kind}"
            environment = kept if kind == CACHED else {"CACHE_DIRECTORY": str(fresh / "cache")}
            if kind == FIRST:
                environment["PYTHONPYCACHEPREFIX"] = str(fresh / "bytecode")
            with DaemonProcess(folder / "daemon", tree, environment) as daemon:
                seconds.append(daemon.ready)
            print(f"{engine}, {kind}: ready after {seconds[-1]:.2f} s", file=sys.stderr)
    return found


def _work(args: argparse.Namespace, folder: Path, engine: str, sound: str) -> Work:
    """Measure a daemon after it has settled."""
    with _heard(sound) as environment:
        environment["CACHE_DIRECTORY"] = str(folder / "cache")
        tree = _tree(args, folder, engine, sound)
        with DaemonProcess(folder / "daemon", tree, environment) as daemon:
            time.sleep(SETTLE)
            before, after = daemon.measure(args.seconds)
    return Work(
        cpu=(after.cpu - before.cpu) / (after.heard - before.heard),
        memory=after.memory,
        children=after.children / MICROPHONES.get(sound, 1),
        wakes=(after.switches - before.switches) / (after.seconds - before.seconds),
    )


@contextlib.contextmanager
def _heard(sound: str) -> Iterator[dict[str, str]]:
    """Provide the sound's environment: a server for the microphone, nothing for a recording."""
    if sound not in MICROPHONES:
        yield {}
        return
    with pulse.VirtualMicrophone() as microphone:
        yield {**microphone.environment}


# What is shown


def _start_table(starts: dict[str, dict[str, list[float]]]) -> Table:
    rows = [
        [engine, kind, f"{statistics.median(s):.2f} s", f"{min(s):.2f} to {max(s):.2f} s"]
        for engine, found in starts.items()
        for kind, s in found.items()
    ]
    count = len(next(iter(next(iter(starts.values())).values())))
    note = f"Medians and extremes of {count} starts of a process to READY. Goal: all cached, 2 s."
    return Table("Start to ready", ["engine", "start", "median", "spread"], rows, note)


def _start_plot(engine: str, starts: dict[str, list[float]]) -> Plot:
    series = {k: [(float(n), s) for n, s in enumerate(found, 1)] for k, found in starts.items()}
    return Plot(f"Start to ready, {engine}", "start", "seconds", series)


def _work_table(works: dict[tuple[str, str], Work]) -> Table:
    rows = [
        [
            *(engine, "silence, gate on" if sound == "silence" else sound),
            f"{100 * work.cpu:.1f} %",
            f"{work.memory:.0f} MB",
            f"{work.children:.0f} MB" if work.children else "none",
            f"{work.wakes:.0f}",
        ]
        for (engine, sound), work in works.items()
    ]
    columns = [
        "engine",
        "source",
        "of a core each",
        "memory",
        "and each recorder",
        "wake-ups a second",
    ]
    note = (
        "Memory is what is resident of the daemon. Each microphone has a process of its own that "
        "records, counted by its share of what it has in common with others (Pss), and its work is "
        "in that of the core. Wake-ups are the daemon's. Goal: 250 MB with the bundle home."
    )
    return Table("Work and memory, once settled", columns, rows, note)


def _disk_table(extras: list[str]) -> Table:
    """List the largest packages of the runtime, and what they come to with extras."""
    runtime = installed_sizes([])
    largest = sorted(runtime, key=lambda name: -runtime[name])[:6]
    rows = [[name, f"{runtime[name]:.1f} MB"] for name in largest]
    rest = sum(runtime.values()) - sum(runtime[name] for name in largest)
    rows.append([f"{len(runtime) - len(largest)} others", f"{rest:.1f} MB"])
    rows.append(["**together**", f"**{sum(runtime.values()):.1f} MB**"])
    for extra in extras:
        more = sum(installed_sizes([extra]).values()) - sum(runtime.values())
        rows.append([f"with the extra `{extra}`", f"{more:+.1f} MB"])
    note = "Files of the packages and of all they need, as installed; Python itself not counted."
    return Table("Installed", ["package", "size"], rows, note)


if __name__ == "__main__":
    main()
