"""Damage configurations, recordings, bundles and checkpoints, and see what their readers do.

    python tests/fuzz.py --count 50000 --seed 1 --out fuzz.json

A reader may do its work or raise an `AstError` of one line. Everything else is a finding: another
exception, a line that is none, the death of the process, more than 10 s or 1 GiB. Case k of a seed
is always the same. Cases run in child processes; a finding's file is kept in `--keep`.
"""

import argparse
import json
import logging
import os
import random
import resource
import select
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from rigs.fuzz_targets import targets

from ast_edge.base.errors import AstError

SECONDS, MEGABYTES = 10.0, 1024
"""What one case may take; memory beyond what its process had before."""
GOOD = ("worked", "refused")
BATCH = 500
"""Cases of one process: what one case leaves behind may fell another."""


@dataclass
class Tally:
    """What came out for one target."""

    outcomes: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    slowest: float = 0.0
    """Seconds."""
    memory: int = 0
    """Megabytes that a case has added at most."""


def judge(name: str, case: int, seed: int, folder: Path) -> str:
    """Run a case in this process and say what came out: worked, refused, or what is wrong."""
    rng = random.Random(f"{seed} {name} {case}")
    place = folder / "case"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    try:
        targets_of(folder)[name].run(rng, place)
    except AstError as exc:
        text = str(exc)
        return (
            "refused" if text.isprintable() and len(text) < 2000 else f"not a line: {text!r:.300}"
        )
    except Exception as exc:  # noqa: BLE001 (what is looked for)
        at = traceback.extract_tb(exc.__traceback__)[-1]
        ours = [f for f in traceback.extract_tb(exc.__traceback__) if "ast_" in f.filename][-1:]
        where = ", ".join(f"{Path(f.filename).name}:{f.lineno}" for f in (*ours, at))
        return f"{type(exc).__name__} at {where}: {exc!s:.200}"
    return "worked"


_targets: dict[Path, dict] = {}


def targets_of(folder: Path):
    """Prepare the targets of a folder once."""
    if folder not in _targets:
        _targets[folder] = targets(folder)
    return _targets[folder]


def work(args: argparse.Namespace) -> None:
    """Run a range of cases, a line of JSON for the beginning and the end of each."""
    logging.disable()
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (12 << 30, 12 << 30))
    folder = Path(args.work)
    targets_of(folder)
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    for case in range(args.start, args.stop):
        print(json.dumps({"case": case}), file=out)
        before, start = _memory(), time.monotonic()
        outcome = judge(args.target, case, args.seed, folder)
        more = (_memory() - before) >> 10
        first = case == args.start  # in which the libraries are loaded
        if more > MEGABYTES and not first:
            outcome = f"took {more} MB"
        if outcome not in GOOD:
            _keep(args.keep, args.target, case, folder)
        print(
            json.dumps(
                {
                    "case": case,
                    "outcome": outcome,
                    "seconds": 0 if first else time.monotonic() - start,
                    "memory": 0 if first else more,
                }
            ),
            file=out,
        )


def _memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def run(target: str, count: int, seed: int, keep: Path | None) -> Tally:
    """Run all cases of a target, in one child process after another."""
    tally, case = Tally(), 0
    while case < count:
        with tempfile.TemporaryDirectory() as folder:
            case = _run_batch(
                target, case, min(count, case + BATCH), seed, Path(folder), tally, keep
            )
        print(f"\r{target}: {case} of {count}, {len(tally.findings)} findings", end="", flush=True)
    print()
    return tally


def _run_batch(
    target: str, start: int, stop: int, seed: int, folder: Path, tally: Tally, keep: Path | None
) -> int:
    """Run cases until the last or until one ends the process; return the next."""
    command = [sys.executable, __file__, "--work", str(folder), "--target", target]
    command += ["--start", str(start), "--stop", str(stop), "--seed", str(seed)]
    command += ["--keep", str(keep)] if keep else []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        assert child.stdout
        begun = start
        try:
            for record in _records(child):
                begun = record["case"]
                if "outcome" not in record:
                    continue
                kind = record["outcome"].split(" at ")[0].split(":")[0]
                tally.outcomes[kind] += 1
                tally.slowest = max(tally.slowest, record["seconds"])
                tally.memory = max(tally.memory, record["memory"])
                if record["outcome"] not in GOOD:
                    tally.findings.append(f"{target} {begun}: {record['outcome']}")
                begun += 1
        except TimeoutError:
            child.kill()
        if begun < stop:
            status = child.wait()
            what = "hangs" if status == -9 else f"ends the process ({status})"
            tally.outcomes[what] += 1
            tally.findings.append(f"{target} {begun}: {what}")
            _keep(keep, target, begun, folder)
            begun += 1
        return begun


def _records(child):
    """Yield what a child says; the first word may take longer, while libraries are loaded."""
    limit, rest = 60.0, b""
    while True:
        ready, _, _ = select.select([child.stdout], [], [], limit)
        if not ready:
            raise TimeoutError
        data = os.read(child.stdout.fileno(), 1 << 16)
        if not data:
            return
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            record = json.loads(line)
            limit = 60.0 if "outcome" not in record and limit == 60.0 else SECONDS
            yield record


def _keep(keep: Path | None, target: str, case: int, folder: Path) -> None:
    """Copy what a finding was found in."""
    if keep:
        shutil.copytree(folder / "case", keep / f"{target}-{case}", dirs_exist_ok=True)


def main() -> None:
    """Print a table and the findings; fail if there are any."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", help="this one only")
    parser.add_argument("--out", type=Path, help="write the figures here as JSON")
    parser.add_argument("--keep", type=Path, help="folder for the files of findings")
    for option in ("--work", "--start", "--stop"):
        parser.add_argument(option, type=str if option == "--work" else int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        work(args)
        return
    with tempfile.TemporaryDirectory() as folder:
        shares = {name: one.share for name, one in targets(Path(folder)).items()}
    chosen = {args.target: 1.0} if args.target else shares
    begun = time.monotonic()
    tallies = {n: run(n, round(args.count * s), args.seed, args.keep) for n, s in chosen.items()}
    print("| files | cases | worked | refused | findings | slowest, s | most memory, MB |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name, tally in tallies.items():
        cases, outcomes = sum(tally.outcomes.values()), tally.outcomes
        print(
            f"| {name} | {cases} | {outcomes['worked']} | {outcomes['refused']} | "
            f"{len(tally.findings)} | {tally.slowest:.2f} | {tally.memory} |"
        )
    print(f"\nseed {args.seed}, {time.monotonic() - begun:.0f} s")
    findings = [finding for tally in tallies.values() for finding in tally.findings]
    print("\n".join(findings[:200]))
    if args.out:
        figures = {n: {**vars(t), "outcomes": dict(t.outcomes)} for n, t in tallies.items()}
        args.out.write_text(json.dumps({"seed": args.seed, "targets": figures}, indent=1))
    raise SystemExit(bool(findings))


if __name__ == "__main__":
    main()
