"""Measure how many hours of sound a core hears in an hour, of an archive.

    python benchmarks/archive.py
    python benchmarks/archive.py --size tiny --frames 256 --minutes 2 --rounds 1 --peer-windows 4

The archive is the demo's minute over and over, in recordings at 48 kHz (WAV, FLAC) and 16 kHz
(OGG) of some minutes each. `ast-edge replay --out` hears it by one and by two worker processes.
Beside it, in turns, stand the engine alone (windows that are there already: what no program around
it can exceed) and a loop around `transformers` that looks at the last window at every hop. All have
one thread; the figures are hours of sound per hour of CPU time of all processes, start included.
"""

import argparse
import io
import resource
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from parts.peer import Peer, peer_spec
from parts.result import RESULTS, Result, Table, as_markdown
from parts.scene import RATE, Sound, busy
from parts.spread import spread
from rich.console import Console

from ast_edge.archive.bulk import processes, work_through
from ast_edge.archive.folder import Folder
from ast_edge.archive.job import Job
from ast_edge.archive.recordings import Shard, find_recordings
from ast_edge.audio.stream import Block, Stream
from ast_edge.detection.hearing import Hearing
from ast_edge.engines.choice import open_engine
from ast_edge.engines.config import EngineConfig
from ast_edge.engines.engine import Engine
from ast_edge.frontend.listener import Listener
from ast_edge.model.bundle import Bundle, find_bundle, load_bundle

CONFIG = EngineConfig(threads=1)
BATCH = 16
PARTS = (("wav", 48_000), ("flac", 48_000), ("ogg", RATE))
ALONE, PEER = "engine alone", "loop around transformers"


@dataclass(frozen=True)
class Cost:
    """What a side took for its sound, in seconds."""

    sound: float
    cpu: float
    wall: float

    @property
    def hours(self) -> float:
        """Hours of sound per hour of a core."""
        return self.sound / self.cpu


def main() -> None:
    """Measure all, print the table and save it."""
    args = _arguments()
    result = Result("What an archive costs")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        archive = folder / "archive"
        write_archive(archive, args.minutes)
        peer = Peer(peer_spec(args.size, args.frames), threads=1)
        published = folder / "AST"
        published.mkdir()
        bundles = {name: load_bundle(find_bundle(name)) for name in args.bundle}
        bundles[f"AST-{args.size}"] = peer.write_bundle(published)
        rows, notes = [], []
        for name, bundle in bundles.items():
            engine = open_engine(bundle, CONFIG)
            notes.append(f"{name} by {engine.description}")
            sides = _sides(bundle, engine, archive, folder, args)
            if bundle.folder == published:
                sides[PEER] = lambda: _loop(peer, args)
            rows += _rows(name, _in_turns(sides, args.rounds))
            engine.close()
    result.tables.append(
        Table(
            "Hours of sound in an hour of a core",
            ["model", "side", "hours", "of the engine alone", "CPU at once"],
            rows,
            f"{'; '.join(notes)}. A window every {args.hop:g} s; median and quartiles of "
            f"{args.rounds} rounds, the sides in turns.",
        )
    )
    path = result.save("archive", args.results)
    print(as_markdown(result), path, sep="\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", nargs="*", default=["home"], help="names or folders (home)")
    parser.add_argument("--size", choices=["tiny", "small", "base"], default="base")
    parser.add_argument("--frames", type=int, default=1024)
    parser.add_argument("--hop", type=float, default=0.5)
    parser.add_argument("--minutes", type=int, default=20, help="of each recording")
    parser.add_argument("--windows", type=int, default=64, help="of the engine alone in a turn")
    parser.add_argument("--peer-windows", type=int, default=12, help="in a turn")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the result")
    return parser.parse_args()


def write_archive(folder: Path, minutes: int) -> None:
    """Write recordings of so many minutes each, in the formats of PARTS."""
    folder.mkdir()
    minute = busy(60)
    for number, (suffix, rate) in enumerate(PARTS):
        sound = minute if rate == RATE else soxr.resample(minute, RATE, rate)
        with soundfile.SoundFile(folder / f"{number}.{suffix}", "w", rate, 1) as file:
            for _ in range(minutes):
                file.write(np.clip(sound, -1, 1))


def _sides(
    bundle: Bundle, engine: Engine, archive: Path, folder: Path, args: argparse.Namespace
) -> dict[str, Callable[[], Cost]]:
    hearing = Hearing(bundle, bundle.settings, args.hop)
    job = Job(hearing, CONFIG, events=True)
    windows = _windows(job, busy(60), args.windows)
    seconds = 60.0 * args.minutes * len(PARTS)

    def alone() -> Cost:
        def run() -> None:
            for start in range(0, len(windows), BATCH):
                engine.run(windows[start : start + BATCH])

        return _measured(len(windows) * args.hop, run)

    def replay(jobs: int) -> Cost:
        with tempfile.TemporaryDirectory(dir=folder) as place:
            return _measured(
                seconds,
                lambda: work_through(
                    job,
                    find_recordings([str(archive)]),
                    Folder(Path(place) / "out", Shard()),
                    processes(jobs),
                    resume=False,
                    console=Console(file=io.StringIO()),
                ),
            )

    return {ALONE: alone, "--jobs 1": lambda: replay(1), "--jobs 2": lambda: replay(2)}


def _windows(job: Job, sound: Sound, count: int) -> Sound:
    stream = Stream("sound", RATE, 1, 0.0, live=False)
    found = Listener(job.listening).feed(Block(stream, 0, sound[:, None]))
    some = np.stack([window.fbank for window in found])
    return np.resize(some, (count, *some.shape[1:]))


def _loop(peer: Peer, args: argparse.Namespace) -> Cost:
    sound = np.resize(busy(60), peer.samples + RATE * 60)

    def run() -> None:
        for number in range(args.peer_windows):
            start = round(number * args.hop * RATE)
            peer.score(sound[start : start + peer.samples])

    return _measured(args.peer_windows * args.hop, run)


def _in_turns(sides: dict[str, Callable[[], Cost]], rounds: int) -> dict[str, list[Cost]]:
    found: dict[str, list[Cost]] = defaultdict(list)
    names = list(sides)
    for number in range(rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            found[name].append(sides[name]())
    return {name: found[name] for name in names}


def _measured(sound: float, run: Callable[[], object]) -> Cost:
    cpu, wall = _cpu(), time.perf_counter()
    run()
    return Cost(sound, _cpu() - cpu, time.perf_counter() - wall)


def _cpu() -> float:
    """Return the CPU seconds of this process and of those that it has started and that ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _rows(model: str, costs: dict[str, list[Cost]]) -> list[list[str]]:
    best = statistics.median(cost.hours for cost in costs[ALONE])
    return [
        [
            model,
            side,
            spread([cost.hours for cost in some], 1),
            f"{statistics.median(cost.hours for cost in some) / best:.0%}",
            spread([cost.cpu / cost.wall for cost in some], 2),
        ]
        for side, some in costs.items()
    ]


if __name__ == "__main__":
    main()
