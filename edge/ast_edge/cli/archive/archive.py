"""What is done with the tables that `ast-edge tag` and `replay` have written by --out."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from ast_edge.base.printable import printable
from ast_edge.cli.archive.bulk import local_folder
from ast_edge.cli.terminal import log_to_stderr, stdout_console

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rich.console import Console

    from ast_edge.archive.tables.summary import Summary

_FORMATS = ("audacity", "raven", "csv")
_BAR = 40
"""Characters of the longest."""
_MOST_DAYS = 366


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `archive` and what is under it to the sub-commands."""
    parser = commands.add_parser(
        "archive",
        help="count, export and merge what was heard in many recordings",
        description=__doc__,
        epilog="example: ast-edge archive summary results/",
    )
    under = parser.add_subparsers(metavar="ACTION", required=True)
    summary = under.add_parser(
        "summary",
        help="count the events of each label and day, or export them",
        description="Count the events of each label and day, or export them.",
        epilog="example: ast-edge archive summary results/ --export raven",
    )
    summary.add_argument("folder", metavar="FOLDER", type=local_folder, help="what --out named")
    summary.add_argument("--export", choices=_FORMATS, help="write all events for other programs")
    summary.add_argument(
        "--to", type=Path, metavar="PATH", help="where to (events.csv, raven.txt, audacity/ there)"
    )
    summary.add_argument("--json", action="store_true", help="print the counts as JSON")
    summary.set_defaults(command=_summary, refuse=summary.error)
    merge = under.add_parser(
        "merge",
        help="make the tables of all shards those of one run",
        description="Make the tables of all shards those of one run, bit for bit.",
        epilog="example: ast-edge archive merge results/ --out whole/",
    )
    merge.add_argument(
        "folder", metavar="FOLDER", type=local_folder, help="what --out of the runs named"
    )
    merge.add_argument(
        "--out", metavar="FOLDER", type=local_folder, required=True, help="another folder"
    )
    merge.set_defaults(command=_merge)


def _summary(args: argparse.Namespace) -> int:
    from ast_edge.archive.tables.export import export
    from ast_edge.archive.tables.summary import summarize

    log_to_stderr()
    if args.to and not args.export:
        args.refuse("--to is for what --export writes")
    if args.export:
        print(printable(str(export(args.folder, args.export, args.to))))
        return 0
    found = summarize(args.folder)
    if args.json:
        print(json.dumps(vars(found)))
    else:
        _print(found, stdout_console())
    return 0


def _merge(args: argparse.Namespace) -> int:
    from ast_edge.archive.tables.merge import merge

    log_to_stderr()
    for name, rows in merge(args.folder, args.out).items():
        print(f"{rows:>12,}  {name}")
    return 0


def _print(found: "Summary", console: "Console") -> None:
    from ast_edge.archive.watch import lasting

    heading = f"{found.recordings:,} recordings, {lasting(found.seconds)}"
    if found.has_events:
        heading += f", {found.events.total():,} events"
    console.print(heading, style="bold")
    if found.damaged:
        console.print(f"{found.damaged:,} are damaged: heard up to there (see errors)")
    for kind, count in sorted(found.errors.items()):
        if kind != "damaged":
            console.print(f"{count:,} {kind} (see errors)")
    if found.events:
        console.print()
        _bars(console, found.events, lambda label: lasting(found.lasted[label] / 1000))
    known = {day: count for day, count in found.days.items() if day}
    days = {day: known.get(day, 0) for day in sorted({*known, *filter(None, found.heard)})}
    if days:
        console.print()
        shown = dict(list(days.items())[-_MOST_DAYS:])
        _bars(console, shown, lambda day: f"in {found.heard[day]:,} recordings", in_order=True)
    if found.days.get(""):
        console.print(f"{found.days['']:,} events of no known day")


def _bars(
    console: "Console",
    counts: "Mapping[str, int]",
    note: "Callable[[str], str]",
    *,
    in_order: bool = False,
) -> None:
    """Print a bar for each count, the longest first unless they have an order."""
    rows = list(counts.items())
    if not in_order:
        rows.sort(key=lambda row: (-row[1], row[0]))
    most, width = max([1, *counts.values()]), max(map(len, counts))
    for name, count in rows:
        bar = "█" * round(_BAR * count / most)
        console.print(
            f"{name:<{width}}  {count:>9,}  {bar:<{_BAR}}  {note(name)}".rstrip(),
            markup=False,
            soft_wrap=True,
        )
