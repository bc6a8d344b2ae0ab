"""Compare what the deployed pipeline detects in annotated recordings with what is there.

The annotations are a table with tabs between its columns and the first line `filename onset offset
event_label`, times in seconds, as sed_eval and DESED have them. A row with a filename alone is a
recording without events. Or count, by what was said of events on the page, how many were right.
"""

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from ast_edge.cli.terminal import (
    add_model_options,
    add_source_option,
    log_to_stderr,
    non_negative,
    open_model,
    stdout_console,
)
from ast_edge.detection.aggregator import LATENCY_SECONDS

if TYPE_CHECKING:
    from ast_edge.evaluation.detector import Detector
    from ast_edge.evaluation.report import Heard, Report
    from ast_edge.evaluation.truth.annotations import Annotations


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `evaluate` to the sub-commands."""
    parser = commands.add_parser(
        "evaluate",
        help="measure how well events are detected in annotated recordings",
        description=__doc__,
        epilog="example: ast-edge evaluate --annotations events.tsv --html report.html",
    )
    parser.add_argument(
        "recordings",
        metavar="RECORDING",
        type=Path,
        nargs="*",
        help="files or folders; all that are annotated unless given",
    )
    truth = parser.add_mutually_exclusive_group(required=True)
    truth.add_argument("--annotations", type=Path, help="the table of events")
    truth.add_argument(
        "--reviews",
        type=Path,
        metavar="FILE",
        help="what the page has written (reviews-NODE.jsonl): how many events were right; no "
        "recording is listened to",
    )
    parser.add_argument(
        "--negatives",
        metavar="RECORDING",
        type=Path,
        nargs="+",
        default=[],
        help="files or folders in which none of the labels sounds, without rows in the table",
    )
    parser.add_argument(
        "--unsure",
        metavar="TABLE",
        type=Path,
        nargs="+",
        default=[],
        help="tables like that of the annotations, of what may sound in these recordings, which "
        "nobody has said: events told there are neither right nor false alarms",
    )
    parser.add_argument(
        "--rooms",
        metavar="TABLE",
        type=Path,
        help="filename and room, with a tab between: recordings of one room say the same twice "
        "(each is a room of its own)",
    )
    parser.add_argument(
        "--ignore",
        metavar="LABEL",
        action="append",
        default=[],
        help="leave annotations of this label out (can be repeated)",
    )
    parser.add_argument(
        "--config",
        type=Path,
        help="take labels, bundle, engine, hop, latency and all that is done to a source's sound "
        "from a configuration, not from the options below",
    )
    add_source_option(parser)
    add_model_options(parser)
    parser.add_argument(
        "--latency",
        type=non_negative,
        default=LATENCY_SECONDS,
        help=f"seconds a model with frame scores listens on ({LATENCY_SECONDS:g})",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures as JSON")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with timelines")
    parser.set_defaults(command=run, default_of=parser.get_default)


def run(args: argparse.Namespace) -> int:
    """Print the table, and write the reports that were asked for."""
    return _count_reviews(args) if args.reviews else _measure(args)


def _measure(args: argparse.Namespace) -> int:
    from ast_edge.base.files import file_sha256
    from ast_edge.evaluation.report import make_report
    from ast_edge.evaluation.truth.annotations import read_annotations
    from ast_edge.evaluation.view.figures import as_tree
    from ast_edge.evaluation.view.output import write_output
    from ast_edge.evaluation.view.page import render_page

    log_to_stderr()
    annotations = read_annotations(args.annotations)
    detector = _open_detector(args)
    labels = list(detector.settings)
    started = time.monotonic()
    heard = list(_listen(args, annotations, detector))
    report = make_report(heard, labels, time.monotonic() - started)
    _print(report)
    if args.json:
        # What was measured, so that nobody takes it for the figures of another model.
        bundle = {"name": detector.bundle.name, "sha256": detector.bundle.scores_sha256}
        settings = {label.name: asdict(one) for label, one in detector.settings.items()}
        tree = as_tree(report) | {"bundle": bundle, "settings": settings}
        tree["annotations"] = file_sha256(args.annotations)
        tree["unsure"] = [file_sha256(table) for table in args.unsure]
        write_output(args.json, json.dumps(tree, indent=1, ensure_ascii=False) + "\n")
    if args.html:
        title = f"{detector.bundle.name} on {args.annotations.name}"
        write_output(args.html, render_page(title, report, heard))
    return 0


def _count_reviews(args: argparse.Namespace) -> int:
    from ast_edge.base.errors import ConfigError
    from ast_edge.base.files import file_sha256
    from ast_edge.evaluation.view.output import write_output
    from ast_edge.evaluation.view.reviewed import HEADINGS, review_notes, review_rows, review_tree
    from ast_edge.outputs.reviews import read_reviews

    for name in _OF_LISTENING:
        if getattr(args, name) not in (None, [], args.default_of(name)):
            given = name if name == "recordings" else f"--{name}"
            raise ConfigError(
                f"--reviews listens to nothing: expected no {given}, which says how; leave it out"
            )
    book = read_reviews(args.reviews)
    console = stdout_console()
    console.print(_table(HEADINGS, review_rows(book)))
    for line in review_notes(book):
        console.print(line, markup=False, soft_wrap=True)
    if args.json:
        tree = review_tree(book) | {"reviews": file_sha256(args.reviews)}
        write_output(args.json, json.dumps(tree, indent=1, ensure_ascii=False) + "\n")
    return 0


_OF_LISTENING = (
    *("recordings", "negatives", "unsure", "rooms", "ignore", "config", "source", "html"),
    *("bundle", "engine", "hop", "latency"),
)


def _open_detector(args: argparse.Namespace) -> "Detector":
    from ast_edge.app.plan import load_plan
    from ast_edge.detection.hearing import Hearing
    from ast_edge.evaluation.detector import Detector, open_detector

    if args.config:
        return open_detector(load_plan(args.config), args.source)
    bundle, engine = open_model(args)
    return Detector(Hearing(bundle, bundle.settings, args.hop, args.latency), engine)


def _listen(
    args: argparse.Namespace, annotations: "Annotations", detector: "Detector"
) -> "Iterator[Heard]":
    """Run every recording through the pipeline, with its annotations beside it."""
    from ast_edge.evaluation.report import Heard
    from ast_edge.evaluation.truth.annotations import (
        check_negatives,
        find_labels,
        list_files,
        match_recordings,
        references,
    )
    from ast_edge.evaluation.truth.rooms import find_rooms
    from ast_edge.evaluation.truth.unsure import read_unsure

    labels = list(detector.settings)
    names = find_labels(annotations, detector.bundle, labels, args.ignore)
    events = {
        path: annotations[name]
        for path, name in match_recordings(args.recordings, annotations, args.annotations).items()
    }
    negatives = list(list_files(args.negatives))
    table = {args.annotations.parent / name: rows for name, rows in annotations.items()}
    check_negatives(
        negatives,
        {
            path: [label.name for label in labels if references(rows, label, names)]
            for path, rows in (table | events).items()
        },
    )
    heard = {path.resolve() for path in events}
    events |= {path: [] for path in negatives if path.resolve() not in heard}
    rooms = find_rooms(events, args.rooms)
    unsure = read_unsure(args.unsure, events, detector.bundle, labels, args.ignore)
    for path in _progress(list(events)):
        outcome = detector.listen(path)
        truth = {label: references(events[path], label, names) for label in labels}
        yield Heard(outcome, truth, rooms[path], unsure[path])


def _progress(paths: Sequence[Path]) -> Iterator[Path]:
    """Show on a terminal how far it is."""
    console = Console(stderr=True)
    yield from track(
        paths, "listening", console=console, transient=True, disable=not console.is_terminal
    )


def _print(report: "Report") -> None:
    from ast_edge.evaluation.view.table import HEADINGS, rows, silent_labels, summary

    console = stdout_console()
    found = rows(report)
    table = _table(HEADINGS, [row.cells for row in found])
    for place, row in enumerate(found):
        table.rows[place].style = "bold" if row.is_total else None
    console.print(table)
    for line in summary(report):
        console.print(line, markup=False, soft_wrap=True)
    if silent := silent_labels(report):
        console.print(f"neither annotated nor detected: {', '.join(silent)}", markup=False)


def _table(headings: Sequence[str], cells: Sequence[Sequence[str]]) -> Table:
    table = Table(box=box.SIMPLE, pad_edge=False, collapse_padding=True)
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number else "left", no_wrap=number > 0)
    for row in cells:
        table.add_row(*map(escape, row))
    return table
