"""Measure how many sources one daemon can serve, and what each of them costs.

    python benchmarks/scale.py
    python benchmarks/scale.py --bundle home --sources 1 2 --seconds 5    # a quick look

Plays one recording in real time as 1, 2, 4, ... sources of `ast-edge run`, a process of its own,
until it cannot keep up; halves the last step then, to find the limit. The recording is at 48 kHz,
as microphones are, so that resampling counts. All sources begin together, so that their windows are
due together: the most for one batch, and the most at once. Then the same in digital silence with
the silence gate, where the model never looks; and the engine alone by batch size.

The bundle "base" is an AST-base with random weights, as large as that of AudioSet.
"""

import argparse
import random
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from parts.daemon.daemon_process import DaemonProcess
from parts.random_bundle import write_random_bundle
from parts.result import RESULTS, Plot, Result, Table, as_markdown
from parts.spread import spread

from ast_edge.engines.choice import open_engine
from ast_edge.engines.config import EngineConfig
from ast_edge.model.bundle import find_bundle, load_bundle

DEMO = Path(__file__).parents[1] / "configs" / "demo" / "home.ogg"
RATE = 48_000
SETTLE = 10.0
"""Seconds before the measurement: the longest of the windows is full then."""
LATE = 0.01
"""A daemon that drops more of its windows, or falls so far behind the sound, is not real time."""
QUIET = -60.0
"""dBFS of the silence gate."""


@dataclass(frozen=True)
class Load:
    """What a daemon took with so many sources."""

    sources: int
    cpu: float
    """CPU seconds a second."""
    memory: float
    """MB."""
    dropped: float
    """Share of the windows."""
    heard: float
    """Share of the sound that was played."""

    @property
    def each(self) -> float:
        """CPU seconds per second of sound."""
        return self.cpu / self.sources / self.heard

    @property
    def keeps_up(self) -> bool:
        """Whether it is real time."""
        return self.dropped <= LATE and self.heard >= 1 - LATE


def main() -> None:
    """Measure, save and print."""
    args = _arguments()
    result = Result("Many sources, one daemon")
    loads, quiet, batches = {}, {}, {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        _write_sounds(folder, SETTLE + args.seconds + 20)
        for name in args.bundle:
            bundle = name
            if name == "base":
                bundle = str(write_random_bundle(folder / name))
            loads[name] = _grow(args, folder, bundle)
            ends = sorted({min(args.sources), max(args.sources)})
            quiet[name] = [_measure(args, folder, bundle, n, gate=QUIET) for n in ends]
            batches[name] = _batches(args, bundle)
    result.tables = [_summary(loads, quiet), *(_load_table(n, x) for n, x in loads.items())]
    result.tables += [_quiet_table(quiet), _batch_table(args, batches)]
    result.plots = _plots(loads, batches)
    path = result.save("scale", args.results)
    print(as_markdown(result), path, sep="\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bundle", nargs="+", default=["home", "base"])
    parser.add_argument("--sources", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32, 64, 128])
    parser.add_argument("--seconds", type=float, default=30.0, help="of each measurement")
    parser.add_argument("--threads", type=int, default=0, help="of the engine; 0 is its own choice")
    parser.add_argument("--hop", type=float, default=0.5)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 2, 4, 8, 16])
    parser.add_argument("--rounds", type=int, default=10, help="of each batch size")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the result")
    return parser.parse_args()


def _write_sounds(folder: Path, seconds: float) -> None:
    """Write the demo over and over, and silence."""
    samples, rate = soundfile.read(DEMO, dtype="float32")
    samples = np.resize(soxr.resample(samples, rate, RATE), round(seconds * RATE))
    soundfile.write(folder / "demo.wav", samples, RATE)
    soundfile.write(folder / "silence.wav", np.zeros_like(samples), RATE)


def _grow(args: argparse.Namespace, folder: Path, bundle: str) -> list[Load]:
    """Measure ever more sources until they are too many, then find the limit more closely."""
    loads: list[Load] = []
    for count in sorted(args.sources):
        loads.append(_measure(args, folder, bundle, count))
        if not loads[-1].keeps_up:
            break
    good = max((load.sources for load in loads if load.keeps_up), default=0)
    bad = min((load.sources for load in loads if not load.keeps_up), default=good)
    while bad - good > max(1, good // 4):
        loads.append(_measure(args, folder, bundle, (good + bad) // 2))
        good, bad = (loads[-1].sources, bad) if loads[-1].keeps_up else (good, loads[-1].sources)
    return sorted(loads, key=lambda load: load.sources)


def _measure(
    args: argparse.Namespace, folder: Path, bundle: str, count: int, gate: float | None = None
) -> Load:
    """Run a daemon with so many sources; with a gate, in silence."""
    sound = folder / ("demo.wav" if gate is None else "silence.wav")
    source: dict[str, Any] = {"file": str(sound)} | ({} if gate is None else {"gate": gate})
    tree = {
        "bundle": bundle,
        "hop": args.hop,
        "engine": {"threads": args.threads},
        "sources": {f"source{number}": source for number in range(count)},
        "jsonl": "events.jsonl",
    }
    with DaemonProcess(folder / "daemon", tree) as daemon:
        time.sleep(SETTLE)
        before, after = daemon.measure(args.seconds)
    seconds = after.seconds - before.seconds
    load = Load(
        sources=count,
        cpu=(after.cpu - before.cpu) / seconds,
        memory=after.memory,
        dropped=(after.dropped - before.dropped) / max(1, after.windows - before.windows),
        heard=(after.heard - before.heard) / seconds / count,
    )
    print(f"{bundle}{'' if gate is None else ', silence'}: {load}", file=sys.stderr, flush=True)
    return load


def _batches(args: argparse.Namespace, name: str) -> dict[int, list[float]]:
    """Return the ms that a window takes the engine, by the size of the batch."""
    bundle = load_bundle(find_bundle(name))
    engine = open_engine(bundle, EngineConfig(threads=args.threads))
    shape = (max(args.batches), bundle.frames, bundle.fbank.mel_bins)
    windows = np.random.default_rng(0).normal(-5, 3, shape).astype(np.float32)
    found: dict[int, list[float]] = {size: [] for size in args.batches}
    order = random.Random(0)
    for _ in range(args.rounds):
        for size in order.sample(args.batches, len(args.batches)):
            engine.run(windows[:size])  # a batch of another size than the last is slow at first
            began = time.perf_counter()
            engine.run(windows[:size])
            found[size].append(1000 * (time.perf_counter() - began) / size)
    engine.close()
    return found


# What is shown


def _summary(loads: dict[str, list[Load]], quiet: dict[str, list[Load]]) -> Table:
    rows = []
    for name, found in loads.items():
        good = [load for load in found if load.keeps_up]
        last = good[-1] if good else found[0]
        rows.append(
            [
                name,
                f"{1 / last.each:.1f}" if good else "less than 1",
                f"{last.sources if good else 0}" + (" or more" if good == found else ""),
                f"{100 * last.each:.1f} %",
                f"{last.each / found[0].each:.2f} x",
                _added(good),
                _added(quiet[name]),
            ]
        )
    return Table(
        "Sources in real time",
        [
            *("bundle", "sources per core", "sources that kept up", "CPU of each", "of one alone"),
            *("MB per added source", "MB beyond the engine"),
        ],
        rows,
        "Sources per core is one core by the CPU time of a source, at the most sources that kept "
        "up (the fewest of all if none did). Larger batches make the engine take more memory; "
        "what is beyond that is measured in silence, where the gate keeps the model from looking.",
    )


def _load_table(name: str, loads: list[Load]) -> Table:
    rows = [
        [
            f"{load.sources}",
            f"{load.cpu:.3f}",
            f"{100 * load.each:.1f} %",
            f"{load.each / loads[0].each:.2f} x",
            f"{load.memory:.0f} MB",
            f"{100 * load.dropped:.1f} %",
            "yes" if load.keeps_up else "no",
        ]
        for load in loads
    ]
    return Table(
        f"Load of the daemon, bundle {name}",
        ["sources", "cores", "of a core each", "of one", "memory", "windows dropped", "real time"],
        rows,
    )


def _quiet_table(quiet: dict[str, list[Load]]) -> Table:
    rows = [
        [name, f"{load.sources}", f"{100 * load.each:.2f} %", f"{load.memory:.0f} MB"]
        for name, loads in quiet.items()
        for load in loads
    ]
    caption = f"Silence with a gate at {QUIET:g} dBFS: all but the model"
    return Table(caption, ["bundle", "sources", "of a core each", "memory"], rows)


def _batch_table(args: argparse.Namespace, batches: dict[str, dict[int, list[float]]]) -> Table:
    rows = [
        [f"{size}", *(f"{spread(found[size], 1)} ms" for found in batches.values())]
        for size in sorted(args.batches)
    ]
    note = f"Per window; medians and quartiles of {args.rounds} runs, in turns."
    return Table("The engine alone, by batch size", ["batch", *batches], rows, note)


def _plots(loads: dict[str, list[Load]], batches: dict[str, dict[int, list[float]]]) -> list[Plot]:
    good = {name: [x for x in found if x.keeps_up] for name, found in loads.items()}
    cpu = {name: [(float(x.sources), x.cpu) for x in found] for name, found in good.items()}
    memory = {name: [(float(x.sources), x.memory) for x in found] for name, found in good.items()}
    speed = {
        name: [(float(size), statistics.median(ms)) for size, ms in sorted(found.items())]
        for name, found in batches.items()
    }
    return [
        Plot("Load by sources", "sources", "cores", cpu),
        Plot("Memory by sources", "sources", "MB", memory),
        Plot("Engine by batch size", "windows in a batch", "ms per window", speed, True),
    ]


def _added(loads: list[Load]) -> str:
    """Return the MB that a source adds, between the fewest and the most."""
    if len(loads) < 2:
        return "unknown"
    first, last = loads[0], loads[-1]
    return f"{(last.memory - first.memory) / (last.sources - first.sources):.1f}"


if __name__ == "__main__":
    main()
