"""Score recordings: how likely each label sounds somewhere in each file."""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console

from ast_edge.base.errors import AstError
from ast_edge.cli.archive.bulk import (
    add_bulk_options,
    check_bulk_options,
    recordings,
    run_in_bulk,
    wanted,
)
from ast_edge.cli.terminal import add_model_options, chosen_bundle, log_to_stderr, open_model

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ast_edge.engines.engine import Engine
    from ast_edge.model.bundle import Bundle


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `tag` to the sub-commands."""
    parser = commands.add_parser(
        "tag",
        help="score recordings as a whole",
        description=__doc__,
        epilog="examples: ast-edge tag --json *.wav > scores.jsonl; "
        "ast-edge tag archive/ --out results/",
    )
    add_bulk_options(parser)
    add_model_options(parser)
    parser.add_argument("--top", type=int, default=5, help="labels to print per file (5)")
    parser.add_argument("--json", action="store_true", help="one line of JSON per file, all labels")
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    """Print the scores of every file; a bad one is reported, the others go on."""
    log_to_stderr()
    check_bulk_options(args)
    if args.out is not None:
        return _run_in_bulk(args)
    bundle, engine = open_model(args)
    console, status = Console(highlight=False), 0
    for path in (Path(os.fsdecode(path)) for path in recordings(args)):
        try:
            duration, scores = tag(path, bundle, engine, args.hop)
        except AstError as exc:
            print(f"ast-edge: {exc}", file=sys.stderr)
            status = exc.exit_code
            continue
        named = {label.name: float(scores[label.index]) for label in bundle.labels}
        if args.json:
            rounded = {name: round(score, 6) for name, score in named.items()}
            line = {"file": str(path), "duration": round(duration, 3), "scores": rounded}
            print(json.dumps(line), flush=True)
        else:
            heading = f"{path}  {duration:.1f} s"
            console.print(heading, style="bold", markup=False, soft_wrap=True)
            for name, score in sorted(named.items(), key=lambda item: -item[1])[: args.top]:
                console.print(f"  {score:.3f}  {name}")
    return status


def _run_in_bulk(args: argparse.Namespace) -> int:
    from ast_edge.archive.job import Job
    from ast_edge.detection.hearing import Hearing
    from ast_edge.engines.config import EngineConfig

    bundle, engine = chosen_bundle(args), EngineConfig(name=args.engine)
    hearing = Hearing(bundle, bundle.settings, args.hop)
    return run_in_bulk(args, Job(hearing, engine, events=False, **wanted(args)))


def tag(
    path: Path, bundle: "Bundle", engine: "Engine", hop: float
) -> "tuple[float, NDArray[np.float32]]":
    """Return a file's duration in seconds and its probabilities (labels,).

    A label's probability is the highest of the windows'. A file shorter than one frame has 0.

    Raises:
        AudioError: if the file cannot be read.
    """
    from ast_edge.detection.pipeline import score_recording
    from ast_edge.frontend.listener import Listener
    from ast_edge.frontend.listening import Listening
    from ast_edge.sources.recording import RecordingSource

    source = RecordingSource(path.stem, path, pace="fast")
    listener = Listener(Listening(bundle.fbank, bundle.frames, hop))
    best = np.zeros(len(bundle.labels), np.float32)
    for _, clip, _ in score_recording(source, listener, engine):
        best = np.maximum(best, clip)
    return source.seconds, best
