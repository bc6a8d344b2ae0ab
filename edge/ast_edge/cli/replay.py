"""Run recordings through the pipeline of `run`, faster than real time, and print the events."""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ast_edge.aggregator import LATENCY_SECONDS
from ast_edge.cli.terminal import (
    add_files,
    add_model_options,
    log_to_stderr,
    non_negative,
    open_model,
)
from ast_edge.errors import AstError

if TYPE_CHECKING:
    from ast_edge.bundle import Bundle
    from ast_edge.engine import Engine
    from ast_edge.events import Event, Label
    from ast_edge.rules import Rule
    from ast_edge.tracker import TrackerSettings


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `replay` to the sub-commands."""
    parser = commands.add_parser(
        "replay",
        help="find the events of recordings, faster than real time",
        description=__doc__,
        epilog="example: ast-edge replay --config configs/mic.yaml --json night.flac",
    )
    add_files(parser)
    parser.add_argument(
        "--config",
        type=Path,
        help="take labels, bundle, engine and hop from a configuration, not from the options below",
    )
    add_model_options(parser)
    parser.add_argument(
        "--latency",
        type=non_negative,
        default=LATENCY_SECONDS,
        help=f"seconds a model with frame scores listens on ({LATENCY_SECONDS:g})",
    )
    parser.add_argument("--json", action="store_true", help="one line of JSON per finished event")
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    """Print the finished events of every file; a bad one is reported, the others go on."""
    from ast_edge.engine import open_engine
    from ast_edge.plan import load_plan

    log_to_stderr()
    if args.config:
        plan = load_plan(args.config)
        bundle, settings, hop, rules = plan.bundle, plan.settings, plan.config.hop, plan.rules
        latency = plan.config.latency
        engine = open_engine(bundle, plan.config.engine)
    else:
        bundle, engine = open_model(args)
        settings, hop, rules, latency = bundle.settings, args.hop, None, args.latency
    status = 0
    for path in args.files:
        try:
            for event in replay(path, bundle, engine, settings, hop, rules, latency):
                _print(path, event, as_json=args.json)
        except AstError as exc:
            print(f"ast-edge: {exc}", file=sys.stderr)
            status = exc.exit_code
    return status


def replay(
    path: Path,
    bundle: "Bundle",
    engine: "Engine",
    settings: Mapping["Label", "TrackerSettings"],
    hop: float,
    rules: Mapping["Label", "Rule"] | None = None,
    latency: float = LATENCY_SECONDS,
) -> Iterator["Event"]:
    """Yield the finished events of a file in the order they end; times in seconds of the file.

    Raises:
        AudioError: if the file cannot be read.
    """
    from ast_edge.pipeline import Pipeline, score_recording
    from ast_edge.recording import RecordingSource

    source = RecordingSource(path.stem, path, pace="fast")
    pipeline = Pipeline(source.name, bundle, settings, hop, rules, latency=latency)
    for window, clip, frame in score_recording(source, pipeline, engine):
        yield from (e for e in pipeline.score(window, clip, frame) if e.phase == "end")
    yield from (e for e in pipeline.finish() if e.phase == "end")


def _print(path: Path, event: "Event", *, as_json: bool) -> None:
    if as_json:
        line = {
            "file": str(path),
            "id": event.id,
            "label": event.label.name,
            "onset": round(event.onset, 3),
            "offset": round(event.offset, 3),
            "peak": round(event.peak, 4),
        }
        print(json.dumps(line), flush=True)
    else:
        print(
            f"{path.name}  {event.onset:8.2f} s to {event.offset:8.2f} s  "
            f"{event.peak:.2f}  {event.label.name}",
            flush=True,
        )
