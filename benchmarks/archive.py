"""Measure how fast recordings are heard in bulk, against what their engine alone can do.

    python benchmarks/archive.py
    python benchmarks/archive.py --bundle home --jobs 1 --minutes 1 --rounds 1 --seconds 1

Hears a folder of recordings by `ast-edge replay --out`, as it is called: start, reading,
resampling, front end, model, journal and tables, from the first to the last moment of the process.
They are WAV at 48 kHz, as recorders write them. Beside it so many processes as there are jobs run
the engine alone, in batches as large as the workers' and with one thread each, all at once: windows
that are in memory already. The two take turns. What the engine alone does in an hour of a core is
what a run could reach if all else cost nothing.

A run has a start, the engine alone has none: a run over a second of sound for each job says what
it takes, and the last column has the share without it, which that of a long archive approaches.
Python finds its bytecode, as it does where ast-edge is installed. Shares by CPU time hold beside
other work, those by the clock on a quiet machine only.

The bundles "audioset-tiny" and "AST-base" have the shapes of that recipe's model and of the
paper's, and random weights: what they cost does not depend on them. AST-base looks every 10 s, a
window beside the next. After the end of each recording silence moves through the window, at least
once: that work is in the run, too.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from parts.quiet import Quiet, Watch, together
from parts.random_bundle import write_random_bundle
from parts.result import RESULTS, Result, Table, as_markdown
from parts.scene import RATE, busy
from parts.spread import spread
from parts.window_side import Side, in_turn

from ast_edge.archive.ear import BATCH
from ast_edge.model.bundle import find_bundle

RECORDER_RATE = 48_000
TINY, BASE = "audioset-tiny", "AST-base"
APART = 10.0
"""Seconds from window to window of AST-base: nearly side by side."""
LEAST = 0.9
"""Share of what the engine alone can do that a run is to reach."""


@dataclass(frozen=True)
class Speed:
    """How fast sound was heard."""

    sound: float
    """Seconds, all processes together."""
    wall: float
    """Seconds that it took."""
    jobs: int
    cpu: float
    """Seconds of CPU, of all processes together."""

    @property
    def hours(self) -> float:
        """Hours of sound in an hour of a core: a process has one each."""
        return self.sound / self.wall / self.jobs

    @property
    def cpu_hours(self) -> float:
        """Hours of sound in an hour of CPU time."""
        return self.sound / self.cpu

    def without(self, start: "Speed") -> "Speed":
        """Return it without what the start of the processes and a little sound took."""
        sound, wall = self.sound - start.sound, self.wall - start.wall
        return Speed(sound, wall, self.jobs, self.cpu - start.cpu)


@dataclass(frozen=True)
class Turn:
    """What was measured in one round."""

    start: Speed
    """Of a run over a second of sound for each job."""
    run: Speed
    alone: Speed


def main() -> None:
    """Measure all, print the table and save it."""
    args = _arguments()
    result = Result("Recordings in bulk")
    rows: list[list[str]] = []
    quiets: list[Quiet] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name in args.bundle:
            bundle = _bundle(name, folder / name)
            hop = APART if name == BASE else args.hop
            for jobs in args.jobs:
                recordings, seconds = folder / f"{jobs}", folder / f"{jobs}-seconds"
                if not recordings.exists():
                    write_recordings(recordings, jobs, args.minutes)
                    write_recordings(seconds, jobs, 1 / 60, each=1)
                hear(seconds, bundle, jobs, hop, folder / f"{name}-{jobs}")  # bytecode
                turns = []
                for number in range(args.rounds):
                    out = folder / f"{name}-{jobs}-{number}"
                    start, _ = hear(seconds, bundle, jobs, hop, Path(f"{out}-start"))
                    run, quiet = hear(recordings, bundle, jobs, hop, out)
                    alone = engine_alone(bundle, jobs, hop, args.seconds)
                    turns.append(Turn(start, run, alone))
                    quiets.append(quiet)
                rows.append(_row(name, jobs, turns))
    result.tables = [_table(args, rows, together(quiets).faults)]
    path = result.save("archive", args.results)
    print(as_markdown(result), path, sep="\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bundle", nargs="+", default=["home", TINY, BASE])
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--hop", type=float, default=0.5)
    parser.add_argument("--minutes", type=float, default=10.0, help="of sound for each job")
    parser.add_argument("--seconds", type=float, default=5.0, help="of the engine alone")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the result")
    return parser.parse_args()


def _bundle(name: str, place: Path) -> Path:
    """Return the folder of a bundle by its name."""
    if name == TINY:
        return write_random_bundle(place, "tiny", frames=400, column=4)
    if name == BASE:
        return write_random_bundle(place)
    return find_bundle(name)


def write_recordings(folder: Path, jobs: int, minutes: float, each: int = 4) -> None:
    """Write a few recordings for each job, of so many minutes together for each."""
    folder.mkdir()
    sound = soxr.resample(busy(minutes * 60 / each), RATE, RECORDER_RATE)
    for number in range(each * jobs):
        shifted = np.roll(sound, number * RECORDER_RATE)
        soundfile.write(folder / f"{number}.wav", shifted, RECORDER_RATE)


def hear(recordings: Path, bundle: Path, jobs: int, hop: float, out: Path) -> tuple[Speed, Quiet]:
    """Hear all recordings of a folder by the command; return how fast, and how quiet it was."""
    command = [sys.executable, "-m", "ast_edge", "replay", str(recordings), "--out", str(out)]
    command += ["--bundle", str(bundle), "--jobs", str(jobs), "--hop", str(hop)]
    bytecode = {"PYTHONPYCACHEPREFIX": str(out.parent / "bytecode"), "PYTHONDONTWRITEBYTECODE": ""}
    watch, environment = Watch(), os.environ | {"OPENBLAS_NUM_THREADS": "1"} | bytecode
    with watch.running():
        subprocess.run(command, check=True, env=environment, stderr=subprocess.PIPE)
    sound = sum(soundfile.info(path).duration for path in recordings.iterdir())
    return Speed(sound, watch.found.wall, jobs, watch.found.own), watch.found


def engine_alone(bundle: Path, jobs: int, hop: float, seconds: float) -> Speed:
    """Let as many processes as there are jobs run the engine, all at once."""
    side = Side("engine", "auto", 1, bundle, "auto")
    with ThreadPoolExecutor(jobs) as pool:
        turns = list(pool.map(lambda _: in_turn(side, BATCH, seconds), range(jobs)))
    runs = sum(len(turn.seconds) for turn in turns)
    wall = sum(sum(turn.seconds) for turn in turns) / jobs  # of each: they run at the same time
    return Speed(BATCH * hop * runs, wall, jobs, sum(turn.quiet.own for turn in turns))


def _row(name: str, jobs: int, turns: Sequence[Turn]) -> list[str]:
    return [
        *(name, str(jobs)),
        spread([turn.run.hours for turn in turns], 1),
        spread([turn.alone.hours for turn in turns], 1),
        spread([100 * turn.run.hours / turn.alone.hours for turn in turns], 1),
        spread([100 * turn.run.cpu_hours / turn.alone.cpu_hours for turn in turns], 1),
        spread([turn.start.cpu for turn in turns], 1),
        spread(
            [100 * t.run.without(t.start).cpu_hours / t.alone.cpu_hours for t in turns],
            1,
        ),
    ]


def _table(args: argparse.Namespace, rows: list[list[str]], faults: list[str]) -> Table:
    return Table(
        f"Hours of sound in an hour of a core, hop {args.hop:g} s (AST-base {APART:g} s)",
        [
            *("bundle", "jobs", "`ast-edge replay --out`", "the engine alone", "share, %"),
            *("by CPU time, %", "CPU s of the start", "without the start, %"),
        ],
        rows,
        f"Medians with quartiles of {args.rounds} rounds; the shares are those of one round. A run "
        "is the whole command, with the start of its processes, over "
        f"{args.minutes:g} minutes of sound for each job; what is called its start hears a second, "
        f"with AST-base by two windows. Goal: {LEAST:.0%}.",
        faults,
    )


if __name__ == "__main__":
    main()
