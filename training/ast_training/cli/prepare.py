"""Check the recordings of a data set, convert them if need be, and make a folder to train on.

A second call finds what the first has converted. Recordings that cannot be used are left out and
listed in skipped.txt.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ast_edge.model.label import Label
    from ast_training.data.clip_list import ClipList
    from ast_training.data.clips import ClipSet

SHOWN = 10
"""Skipped recordings that are printed."""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `prepare` to the sub-commands."""
    parser = commands.add_parser(
        "prepare",
        help="make a folder to train on from a data set",
        description=__doc__,
        epilog="example: ast-train prepare esc50 ~/ESC-50-master --out data/esc50",
    )
    kinds = parser.add_subparsers(dest="kind", metavar="KIND", required=True)

    def add(kind: str, text: str, source: str) -> argparse.ArgumentParser:
        kind_parser = kinds.add_parser(kind, help=text, description=text)
        kind_parser.add_argument("source", type=Path, metavar="SOURCE", help=source)
        _add_common(kind_parser)
        return kind_parser

    audioset = add(
        "audioset",
        "AudioSet by its segment lists, with the audio that is there",
        "folder with the segment lists and the audio, or a JSON list of the AST authors",
    )
    lists = audioset.add_mutually_exclusive_group()
    lists.add_argument("--balanced", action="store_true", help="train on the balanced list only")
    lists.add_argument("--full", action="store_true", help="train on both lists (the default)")
    audioset.add_argument("--test", type=Path, metavar="JSON", help="authors' list to evaluate on")
    esc50 = add("esc50", "ESC-50, five folds", "folder with meta/ and audio/")
    esc50.add_argument("--esc10", action="store_true", help="only the ten classes of ESC-10")
    add("fsd50k", "FSD50K, its 200 labels by AudioSet's names", "folder of FSD50K.ground_truth/")
    add("urbansound8k", "UrbanSound8K, ten folds", "folder with metadata/ and audio/")
    words = add("speechcommands", "Speech Commands V2", "folder with a folder for every word")
    words.add_argument("--words", nargs="+", default=[], metavar="WORD", help="only these (all 35)")
    folder = add("folder", "a folder for every label", "folder of the labels' folders")
    table = add("csv", "a table with the columns filename and label", "the CSV file")
    table.add_argument("--audio", type=Path, help="what file names are relative to (the table)")
    table.add_argument("--group", metavar="COLUMN", help="rows with one value are never divided")
    shards = add("shards", "tar shards as webdataset makes them", "folder with *.tar")
    reviews = add(
        "reviews",
        "clips of events that were reviewed on the page of ast-edge",
        "what the page has written (reviews-NODE.jsonl)",
    )
    reviews.add_argument(
        "--clips",
        type=Path,
        metavar="FOLDER",
        help="where the clips are, if they were moved; there are clips only where `clips:` was on",
    )
    for own in (folder, table, shards, reviews):
        own.add_argument(
            "--labels",
            type=Path,
            metavar="FILE",
            help="labels in order: a name on every line, or index,mid,display_name (what occurs)",
        )
    alarms = kinds.add_parser(
        "alarms",
        help="smoke and carbon monoxide alarms, synthesised",
        description="Smoke and carbon monoxide alarms, by the patterns of their standards.",
    )
    alarms.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="to write")
    alarms.add_argument("--count", type=_positive, default=96, help="recordings (96)")
    parser.set_defaults(command=run)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="to write")
    parser.add_argument(
        "--recipe",
        type=Path,
        help="give mean and std as this recipe's training would see them: padded, masked and mixed",
    )
    parser.add_argument("--jobs", type=_positive, help="processes (one for each processor)")
    parser.add_argument("--copy", action="store_true", help="copy recordings that need no change")
    parser.add_argument("--keep-silent", action="store_true", help="take silent recordings too")
    parser.add_argument(
        "--cache-features", action="store_true", help="store all fbanks (25 KB for a second)"
    )


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number from 1, got {text!r}")
    return int(text)


def run(args: argparse.Namespace) -> int:
    """Prepare the set, and print what is in it."""
    if args.kind == "alarms":
        from ast_training.datasets.alarms import write_alarms

        print(f"{write_alarms(args.out, args.count, seed=1)}: {args.count} recordings")
        return 0
    from rich.console import Console

    from ast_training.datasets.prepare import prepare
    from ast_training.datasets.starter_recipe import write_starter_recipe
    from ast_training.recipe.recipe import load_recipe
    from ast_training.run.training_data import example_statistics

    clips = prepare(
        _read(args),
        args.out,
        jobs=args.jobs,
        copy=args.copy,
        keep_silent=args.keep_silent,
        cache_features=args.cache_features,
        console=Console(stderr=True),
    )
    print(summary(clips))
    if args.kind in ("folder", "csv", "shards", "reviews", "fsd50k", "urbansound8k"):
        kept = (args.out / "recipe.yaml").exists()
        said = "is kept as it was" if kept else "to start from"
        print(f"recipe   {write_starter_recipe(clips)}, {said}")
    if args.recipe:
        mean, std = example_statistics(load_recipe(args.recipe))
        print(f"recipe   {args.recipe}: mean {mean:.4f}, std {std:.4f} of its training examples")
    return 0


def _read(args: argparse.Namespace) -> "ClipList":
    source: Path = args.source
    if args.kind == "audioset":
        from ast_training.datasets.audioset import read_audioset, read_author_lists

        if source.suffix == ".json":
            return read_author_lists(source, args.test)
        return read_audioset(source, "balanced" if args.balanced else "full")
    if args.kind == "esc50":
        from ast_training.datasets.esc50 import read_esc50

        return read_esc50(source, esc10=args.esc10)
    if args.kind == "fsd50k":
        from ast_training.datasets.fsd50k import read_fsd50k

        return read_fsd50k(source)
    if args.kind == "urbansound8k":
        from ast_training.datasets.urbansound8k import read_urbansound8k

        return read_urbansound8k(source)
    if args.kind == "speechcommands":
        from ast_training.datasets.speechcommands import read_speechcommands

        return read_speechcommands(source, args.words)
    if args.kind == "shards":
        from ast_training.datasets.shards import read_shards

        return read_shards(source, _labels(args))
    if args.kind == "reviews":
        from ast_training.datasets.reviews import read_reviewed

        return read_reviewed(source, args.clips, _labels(args))
    from ast_training.datasets.own import read_csv, read_folder

    if args.kind == "csv":
        return read_csv(source, audio=args.audio, labels=_labels(args), group=args.group)
    return read_folder(source, _labels(args))


def _labels(args: argparse.Namespace) -> "tuple[Label, ...] | None":
    from ast_training.data.tables import read_labels

    return read_labels(args.labels) if args.labels else None


def _listed(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")


def summary(clips: "ClipSet") -> str:
    """Describe a prepared set in a few lines."""
    from ast_training.data.clip_list import SPLITS

    counts = ((split, len(clips.select([split]))) for split in SPLITS)
    lines = [
        f"{clips.folder}: {clips.dataset}, {len(clips.labels)} labels, "
        f"{clips.seconds.sum() / 3600:.2f} hours",
        "clips    " + ", ".join(f"{split} {count:,}" for split, count in counts if count),
        f"fbanks   mean {clips.mean:.4f}, std {clips.std:.4f} (of train)",
    ]
    used = clips.counts(clips.select(["train"]))
    unused = [label.name for label in clips.labels if not used[label.index]]
    if unused:
        lines.append(f"labels   {len(unused)} without a clip to train on: {_listed(unused)}")
    held_out = clips.counts(clips.select(["validation", "test"]))
    unheld = [
        label.name for label in clips.labels if used[label.index] > held_out[label.index] == 0
    ]
    if unheld and not clips.table.folds.any():
        lines.append(f"labels   {len(unheld)} without a clip to validate: {_listed(unheld)}")
        lines.append("         (of one source, by their names? a table and --group say better)")
    if clips.licence:
        lines.append(f"licence  {clips.licence}")
    if clips.skipped:
        path = clips.folder / "skipped.txt"
        with path.open(encoding="utf-8") as file:
            reasons = [line.rstrip("\n") for line, _ in zip(file, range(SHOWN), strict=False)]
        more = f" (all in {path})" if clips.skipped > SHOWN else ""
        lines.append(f"skipped  {clips.skipped:,}{more}")
        lines += [f"  {reason}" for reason in reasons]
    return "\n".join(lines)
