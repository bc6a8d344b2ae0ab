"""Measure what a daemon does for every label that it follows, and how that grows with the labels.

    python benchmarks/labels.py
    python benchmarks/labels.py --before ../older    # beside another checkout, in turns

Each side is measured by its own `label_cost.py`, in a process: what follows the engine at every
step, and what commands and greetings over MQTT take of the threads that they hold up.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from label_cost import Costs
from parts.result import RESULTS, Result, Table, as_markdown
from parts.spread import spread

HERE = Path(__file__).parent


def main() -> None:
    """Measure, save and print."""
    args = _arguments()
    folders = {"now": HERE.parent}
    if args.before:
        folders = {"before": args.before} | folders
    result = Result("Many labels")
    for labels in args.labels:
        rounds: dict[str, list[Costs]] = {side: [] for side in folders}
        for _ in range(args.rounds):  # in turns, so that all see the same machine
            for side, folder in folders.items():
                rounds[side].append(measure(folder, labels, args.sources))
        result.tables.append(_table(rounds, labels, args.sources, _note(args)))
    path = result.save("labels", args.results)
    print(as_markdown(result), path, sep="\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--labels", type=int, nargs="+", default=[50, 527])
    parser.add_argument("--sources", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--before", type=Path, help="folder of another checkout")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the result")
    return parser.parse_args()


def measure(checkout: Path, labels: int, sources: int) -> Costs:
    """Return the microseconds of what the code of a checkout does."""
    command = [sys.executable, str(checkout / "benchmarks" / "label_cost.py")]
    command += ["--labels", str(labels), "--sources", str(sources)]
    env = os.environ | {"PYTHONPATH": str(checkout.resolve() / "edge")}
    found = subprocess.run(command, env=env, stdout=subprocess.PIPE, check=True, timeout=600)
    costs: Costs = json.loads(found.stdout)
    return costs


def _table(rounds: dict[str, list[Costs]], labels: int, sources: int, note: str) -> Table:
    rows = []
    for what in rounds["now"][0]:
        costs = {side: [found[what] for found in sides] for side, sides in rounds.items()}
        cells = [_cell(values) for values in costs.values()]
        if "before" in costs:
            both = zip(costs["before"], costs["now"], strict=True)
            cells.append(spread([before / now for before, now in both], 1))
        rows.append([what, *cells])
    caption = f"CPU microseconds, {labels} labels at {sources} sources"
    ratio = ["times as fast"] if "before" in rounds else []
    return Table(caption, ["", *rounds, *ratio], rows, note)


def _cell(microseconds: Sequence[float]) -> str:
    return spread(microseconds, 0 if min(microseconds) >= 100 else 1)


def _note(args: argparse.Namespace) -> str:
    note = (
        "Of one thread. A step is one of a clip-level model, a window all that follows the engine: "
        "groups, rules and tracker, with frame scores for each of their steps. Nothing is heard in "
        "it, or five labels. A threshold is that of "
        "one label at one source, a greeting tells every setting to a broker that may know none. "
        f"Medians with quartiles of {args.rounds} turns."
    )
    if args.before:
        command = ["git", "-C", str(args.before), "rev-parse", "--short", "HEAD"]
        commit = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        note += f" Before is commit {commit.strip()}; ratios are those of one turn."
    return note


if __name__ == "__main__":
    main()
