"""Choose thresholds from recordings of ordinary days, or by what was said of events on the page.

The negatives are recordings in which none of the sounds is to be reported, the longer the better:
every event in them is a false alarm. With recordings of the sounds themselves it is shown how many
of them are still found. Reviews only raise thresholds: by what was marked wrong, as far as nothing
is lost that was marked right.
"""

import argparse
import difflib
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from ast_edge.base.errors import ConfigError
from ast_edge.cli.terminal import add_source_option, log_to_stderr, stdout_console

if TYPE_CHECKING:
    from ast_edge.app.plan import Plan
    from ast_edge.detection.hearing import Hearing
    from ast_edge.evaluation.detector import Detector
    from ast_edge.evaluation.truth.unsure import Unsure
    from ast_edge.model.label import Label
    from ast_edge.model.label_settings import TrackerSettings
    from ast_edge.tuning.positives import References
    from ast_edge.tuning.trial import Recording
    from ast_edge.tuning.tuning import Tuning


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `tune` to the sub-commands."""
    parser = commands.add_parser(
        "tune",
        help="choose thresholds from your own recordings",
        description=__doc__,
        epilog="example: ast-edge tune --config mic.yaml --negatives monday.flac tuesday.flac "
        '--false-alarms "1 per week"',
    )
    parser.add_argument("--config", type=Path, required=True, help="the configuration to write to")
    add_source_option(parser)
    known = parser.add_mutually_exclusive_group(required=True)
    known.add_argument(
        "--negatives",
        metavar="RECORDING",
        type=Path,
        nargs="+",
        help="files or folders of recordings without the sounds",
    )
    known.add_argument(
        "--reviews",
        metavar="FILE",
        type=Path,
        help="what the page has written (reviews-NODE.jsonl); no recording is listened to",
    )
    parser.add_argument(
        "--false-alarms",
        metavar="WISH",
        type=_wish,
        help="with negatives: of all labels together: '1 per week', '2 a day', '0.1/h'",
    )
    positives = parser.add_mutually_exclusive_group()
    positives.add_argument(
        "--positives",
        metavar="FOLDER",
        type=Path,
        help="a folder for each label, with recordings of its sound",
    )
    positives.add_argument(
        "--annotations", type=Path, help="or a table of events, as for `ast-edge evaluate`"
    )
    parser.add_argument(
        "--unsure",
        metavar="TABLE",
        type=Path,
        nargs="+",
        default=[],
        help="tables of what may sound in these recordings, as for `ast-edge evaluate`: events "
        "told there count for nothing",
    )
    parser.add_argument(
        "--rooms",
        metavar="TABLE",
        type=Path,
        help="filename and room of the negatives, with a tab between: recordings of one room say "
        "the same twice (each is a room of its own)",
    )
    parser.add_argument(
        "--ignore",
        metavar="LABEL",
        action="append",
        default=[],
        help="leave annotations of this label out (can be repeated)",
    )
    parser.add_argument(
        "--label",
        metavar="LABEL",
        action="append",
        default=[],
        help="tune this label or group only (can be repeated); all that are reported unless given",
    )
    parser.add_argument(
        "--off", metavar="SHARE", type=_share, help="off as a share of on (as it is now)"
    )
    parser.add_argument(
        "--lowest", metavar="ON", type=_share, default=0.2, help="no on falls below this (0.2)"
    )
    parser.add_argument(
        "--equal-shares",
        action="store_true",
        help="allow all labels as many false alarms, also where it is shown what they find",
    )
    parser.add_argument(
        "--expected",
        action="store_true",
        help="let the wish be what is expected, where it could be kept with 95 %% confidence",
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw what was tried, as SVG")
    writing = parser.add_mutually_exclusive_group()
    writing.add_argument("--write", action="store_true", help="change the file without asking")
    writing.add_argument("--dry-run", action="store_true", help="change nothing and do not ask")
    parser.set_defaults(command=run, default_of=parser.get_default)


def run(args: argparse.Namespace) -> int:
    """Print what the thresholds would change, and change them if that is wanted."""
    log_to_stderr()
    if args.reviews:
        return _raise_by_reviews(args)
    if args.false_alarms is None:
        raise ConfigError("--negatives need a wish: --false-alarms '1 per week'")
    return _choose_by_recordings(args)


def _choose_by_recordings(args: argparse.Namespace) -> int:
    from ast_edge.evaluation.detector import open_detector
    from ast_edge.evaluation.truth.annotations import check_negatives, list_files
    from ast_edge.evaluation.truth.rooms import find_rooms
    from ast_edge.evaluation.truth.unsure import read_unsure
    from ast_edge.evaluation.view.output import write_output
    from ast_edge.tuning.outcome import make_record, write_outcome
    from ast_edge.tuning.pieces import cut
    from ast_edge.tuning.plot import draw_plot
    from ast_edge.tuning.trial import try_settings
    from ast_edge.tuning.tuning import tune

    plan = _load(args)
    hearing = plan.hearing_of(args.source)
    settings = _chosen(args, hearing)
    references = _positives(args, hearing, settings)
    quiet = list(list_files(args.negatives))
    sounding = {p: [label.name for label in t if t[label]] for p, t in references.items()}
    check_negatives(quiet, sounding)
    detector = open_detector(plan, args.source)
    rooms = find_rooms(quiet, args.rooms)
    unsure = read_unsure(args.unsure, [*quiet, *references], hearing.bundle, settings, args.ignore)
    negatives = list(_listen(detector, {path: {} for path in quiet}, unsure))
    positives = list(_listen(detector, references, unsure))
    pieces = cut([one.seconds for one in negatives], [rooms[path] for path in quiet])
    wish, equal = args.false_alarms, args.equal_shares or not positives
    trials = try_settings(
        negatives,
        positives,
        settings,
        pieces,
        off_share=args.off,
        most=wish / len(settings) if equal else wish,
    )
    tuning = tune(
        trials, pieces, wish, lowest=args.lowest, equal=args.equal_shares, sure=not args.expected
    )
    _print(tuning)
    if args.plot:
        write_output(args.plot, draw_plot(tuning))
    record = make_record(
        plan.config, hearing, tuning, negatives, positives, args.annotations, args.unsure
    )
    _offer(args, lambda text: write_outcome(text, plan.config, hearing, tuning, record))
    return 0


def _raise_by_reviews(args: argparse.Namespace) -> int:
    from ast_edge.outputs.reviews import read_reviews
    from ast_edge.tuning.config_edit import Thresholds
    from ast_edge.tuning.outcome import write_thresholds
    from ast_edge.tuning.reviewed import review_summary, tune_by_reviews

    for name in _OF_RECORDINGS:
        if getattr(args, name) not in (None, [], args.default_of(name)):
            option = name.replace("_", "-")
            raise ConfigError(f"--{option} is for recordings, not for --reviews: leave it out")
    plan = _load(args)
    hearing = plan.hearing_of(args.source)
    book = read_reviews(args.reviews)
    found, left_out = tune_by_reviews(book.reviews, hearing, _chosen(args, hearing))
    table = Table(box=box.SIMPLE, pad_edge=False)
    table.add_column("label")
    for heading in ("on", "wrong ones reported", "right ones reported"):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in found:
        table.add_row(
            escape(one.label.name),
            f"{one.before.on:g} → {one.on:g}" if one.on > one.before.on else f"{one.before.on:g}",
            f"{len(one.wrong)} → {one.wrong_after}",
            str(len(one.right)),
            style=None if one.is_known else "dim",
        )
    console = stdout_console()
    console.print(table)
    for line in [*review_summary(found), *left_out, *book.notes]:
        console.print(line, markup=False, soft_wrap=True)
    raised = {
        one.label: Thresholds(one.on, one.before.off) for one in found if one.on > one.before.on
    }
    _offer(args, lambda text: write_thresholds(text, plan.config, hearing, raised))
    return 0


_OF_RECORDINGS = (
    *("false_alarms", "positives", "annotations", "unsure", "rooms", "ignore", "off", "lowest"),
    *("equal_shares", "expected", "plot"),
)


def _load(args: argparse.Namespace) -> "Plan":
    from ast_edge.app.plan import load_plan

    plan = load_plan(args.config)
    if len(plan.bundles) > 1:
        raise ConfigError(
            f"{args.config}: its sources listen with different bundles, but a label has one "
            "setting for all of them: tune a file with the sources of one bundle"
        )
    return plan


def _offer(args: argparse.Namespace, edit: Callable[[str], str]) -> None:
    """Write what an edit makes of the configuration, if that is wanted."""
    from ast_edge.app.plan import load_plan
    from ast_edge.base.text_file import open_text
    from ast_edge.evaluation.view.output import write_output

    with open_text(args.config, newline="") as file:
        before = file.read()
    after = edit(before)
    if before == after:
        print("the configuration has these settings already")
    elif _wants(args, before, after):
        write_output(args.config, after, backup=True)
        load_plan(args.config)
        print(f"written to {args.config}; what was there is in {args.config.name}.bak")


def _wish(text: str) -> float:
    from ast_edge.tuning.wish import parse_wish

    try:
        return parse_wish(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise argparse.ArgumentTypeError(f"expected a number above 0 and up to 1, got {text}")
    return share


def _chosen(args: argparse.Namespace, hearing: "Hearing") -> "dict[Label, TrackerSettings]":
    """Return the labels and groups to tune, with what holds for them now."""
    from ast_edge.base.yaml_file import did_you_mean

    if not args.label:
        return dict(hearing.settings)
    known = {name: label for label in hearing.settings for name in (label.slug, label.name)}
    for name in args.label:
        if name not in known:
            near = did_you_mean(name, [label.name for label in hearing.settings])
            raise ConfigError(f"{args.config}: reports no label {name!r}{near}")
    wanted = {known[name] for name in args.label}
    return {label: now for label, now in hearing.settings.items() if label in wanted}


def _positives(
    args: argparse.Namespace, hearing: "Hearing", labels: "Collection[Label]"
) -> "dict[Path, References]":
    """Return the recordings of the sounds, and where these are."""
    from ast_edge.tuning.positives import in_folders, in_table

    if args.positives:
        return in_folders(args.positives, labels)
    if not args.annotations:
        return {}
    return in_table(args.annotations, hearing.bundle, labels, args.ignore)


def _listen(
    detector: "Detector",
    recordings: "Mapping[Path, References]",
    unsure: "Mapping[Path, Unsure]",
) -> "Iterator[Recording]":
    """Score every recording once; half precision halves the memory that a week takes."""
    from ast_edge.tuning.trial import Recording

    console = Console(stderr=True)
    paths = track(
        list(recordings),
        "listening",
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    for path in paths:
        outcome = detector.listen(path, np.float16, draw=False)
        yield Recording(outcome.curve, outcome.seconds, recordings[path], unsure[path])


def _print(tuning: "Tuning") -> None:
    from ast_edge.tuning.summary import summarize
    from ast_edge.tuning.wish import write_rate

    console = stdout_console()
    table = Table(box=box.SIMPLE, pad_edge=False)
    table.add_column("label")
    for heading in ("on", "off", "hold", "false alarms", "expected", "found"):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in tuning.labels:
        found = f"{one.found_before} → {one.found_after} of {one.references}"
        table.add_row(
            escape(one.label.name),
            f"{one.before.on:g} → {one.after.on:g}",
            f"{one.before.off:g} → {one.after.off:g}",
            _change(one.before.hold, one.after.hold),
            f"{one.alarms_before} → {one.alarms_after}",
            write_rate(one.choice.rate) if one.choice.rate else "none",
            found if one.references else "",
            style=None if one.choice.kept else "yellow",
        )
    console.print(table)
    for line in summarize(tuning):
        console.print(line, markup=False, soft_wrap=True)


def _change(before: float, after: float) -> str:
    return f"{before:g} s" if before == after else f"{before:g} → {after:g} s"


def _wants(args: argparse.Namespace, before: str, after: str) -> bool:
    """Show what would change in the file, and ask if there is somebody to ask."""
    name = str(args.config)
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    sys.stdout.writelines(difflib.unified_diff(old, new, name, name))
    sys.stdout.flush()
    if args.write:
        return True
    if args.dry_run or not (sys.stdin.isatty() and sys.stdout.isatty()):
        print("nothing was changed; --write does it")
        return False
    return input(f"write this to {name}? [y/N] ").strip().lower() in ("y", "yes")
