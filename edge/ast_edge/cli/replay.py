"""Run recordings through the pipeline of `run`, faster than real time, and print the events."""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ast_edge.base.errors import AstError
from ast_edge.cli.archive.bulk import (
    add_bulk_options,
    check_bulk_options,
    recordings,
    run_in_bulk,
    wanted,
)
from ast_edge.cli.terminal import (
    add_model_options,
    add_source_option,
    chosen_bundle,
    log_to_stderr,
    non_negative,
)
from ast_edge.detection.aggregator import LATENCY_SECONDS

if TYPE_CHECKING:
    from ast_edge.detection.event import Event
    from ast_edge.detection.hearing import Hearing
    from ast_edge.engines.config import EngineConfig
    from ast_edge.engines.engine import Engine


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `replay` to the sub-commands."""
    parser = commands.add_parser(
        "replay",
        help="find the events of recordings, faster than real time",
        description=__doc__,
        epilog="examples: ast-edge replay --config configs/mic.yaml --json night.flac; "
        "ast-edge replay archive/ --out results/",
    )
    add_bulk_options(parser)
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
    parser.add_argument("--json", action="store_true", help="one line of JSON per finished event")
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    """Print the finished events of every file; a bad one is reported, the others go on."""
    from ast_edge.engines.choice import open_engine

    log_to_stderr()
    check_bulk_options(args)
    hearing, config = _hearing(args)
    if args.out is not None:
        from ast_edge.archive.job import Job

        return run_in_bulk(args, Job(hearing, config, events=True, **wanted(args)))
    engine = open_engine(hearing.bundle, config)
    status = 0
    for path in (Path(os.fsdecode(path)) for path in recordings(args)):
        try:
            for event in replay(path, hearing, engine):
                _print(path, event, as_json=args.json)
        except AstError as exc:
            print(f"ast-edge: {exc}", file=sys.stderr)
            status = exc.exit_code
    return status


def _hearing(args: argparse.Namespace) -> "tuple[Hearing, EngineConfig]":
    """Return how the options say to listen, and by what engine."""
    from ast_edge.detection.hearing import Hearing
    from ast_edge.engines.config import EngineConfig

    if args.config:
        from ast_edge.app.plan import load_plan

        plan = load_plan(args.config)
        return plan.hearing_of(args.source), plan.config.engine
    bundle = chosen_bundle(args)
    return Hearing(bundle, bundle.settings, args.hop, args.latency), EngineConfig(name=args.engine)


def replay(path: Path, hearing: "Hearing", engine: "Engine") -> Iterator["Event"]:
    """Yield the finished events of a file in the order they end; times in seconds of the file.

    Raises:
        AudioError: if the file cannot be read.
    """
    from ast_edge.detection.offline import find_events
    from ast_edge.detection.pipeline import Pipeline
    from ast_edge.evaluation.one_channel import for_recordings
    from ast_edge.sources.recording import RecordingSource

    hearing, source = for_recordings(hearing, RecordingSource(path.stem, path, pace="fast"))
    pipeline = Pipeline(source.name, hearing)
    for _, events in find_events(source, pipeline, engine):
        yield from (e for e in events if e.phase == "end")
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
