"""Options of the commands that take many recordings, and their run."""

import argparse
import os
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ast_edge.base.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ast_edge.archive.bulk import Outcome
    from ast_edge.archive.crew import Crew
    from ast_edge.archive.folder import Folder
    from ast_edge.archive.job import Job
    from ast_edge.archive.recordings import Shard

_NEEDS_OUT = ("jobs", "shard", "resume", "scores", "embeddings", "timezone", "ray")
_ON_A_CLUSTER = 1000
"""Workers at most, unless said otherwise: a cluster gives as many as it has room for."""


def add_bulk_options(parser: argparse.ArgumentParser) -> None:
    """Add the arguments for recordings, and the options for many of them."""
    parser.add_argument(
        "files",
        metavar="FILE",
        type=path_or_address,
        nargs="*",
        help="a recording, a folder or a pattern; with --out also s3://BUCKET/… and gs://BUCKET/…",
    )
    bulk = parser.add_argument_group("many recordings (docs/archive.md)")
    bulk.add_argument(
        "--list", metavar="FILE", help="take their names from a file, one a line; - is stdin"
    )
    bulk.add_argument("--null", action="store_true", help="names in the list end with NUL")
    bulk.add_argument(
        "--out", type=local_folder, metavar="FOLDER", help="write Parquet tables there"
    )
    bulk.add_argument("--jobs", type=_jobs, metavar="N", help="worker processes (one a core)")
    bulk.add_argument(
        "--shard", type=_shard, metavar="I/N", help="hear only this of N parts, such as 2/8"
    )
    bulk.add_argument(
        "--resume", action="store_true", default=None, help="go on with what a run before has left"
    )
    bulk.add_argument(
        "--scores", action="store_true", default=None, help="write the scores of every window too"
    )
    bulk.add_argument(
        "--embeddings", action="store_true", default=None, help="write embeddings of windows too"
    )
    bulk.add_argument(
        "--timezone", metavar="ZONE", help="of times in names, such as Europe/Berlin (UTC)"
    )
    bulk.add_argument(
        "--ray",
        metavar="ADDRESS",
        help="let the nodes of a Ray cluster hear them: auto, or HOST:PORT; --jobs is how many "
        f"workers at most ({_ON_A_CLUSTER})",
    )
    bulk.add_argument("--cpus", type=_share, metavar="X", help="of a node for each worker (1)")
    bulk.add_argument("--gpus", type=_share, metavar="X", help="of a node for each worker (0)")
    parser.set_defaults(refuse=parser.error)


def check_bulk_options(args: argparse.Namespace) -> None:
    """Refuse options that do not go together, as a mistake in the command line."""
    if not args.files and args.list is None:
        args.refuse("expected recordings, folders or patterns, or --list")
    if args.null and args.list is None:
        args.refuse("--null is about the names in a --list")
    for name in _NEEDS_OUT if args.out is None else ():
        if getattr(args, name) is not None:
            args.refuse(f"--{name} is for tables: name a folder for them by --out")
    if args.ray is None and not args.cpus is args.gpus is None:
        args.refuse("--cpus and --gpus are about the workers of --ray")
    if args.timezone is not None:
        from ast_edge.detection.schedule import find_zone

        try:
            find_zone(args.timezone)
        except ValueError as exc:
            args.refuse(f"--timezone: {exc}")


def recordings(args: argparse.Namespace) -> Iterator[bytes]:
    """Yield the paths of all recordings that the arguments name.

    Raises:
        ArchiveError: nothing fits a pattern, a list cannot be read, or there is one that needs
            --out, which is not given.
    """
    from ast_edge.archive.recordings import find_recordings, read_list

    listed = read_list(args.list, null=args.null) if args.list is not None else ()
    found = chain(find_recordings(args.files), listed)
    return found if args.out is not None else _of_this_machine(found)


def _of_this_machine(paths: Iterator[bytes]) -> Iterator[bytes]:
    from ast_edge.archive.errors import ArchiveError
    from ast_edge.archive.remote import is_remote

    for path in paths:
        if is_remote(name := os.fsdecode(path)):
            raise ArchiveError(f"{name}: what is elsewhere is heard with --out FOLDER only")
        yield path


def wanted(args: argparse.Namespace) -> dict[str, Any]:
    """Return what of a job is said by the options for many recordings."""
    return {
        "scores": bool(args.scores),
        "embeddings": bool(args.embeddings),
        "timezone": args.timezone or "UTC",
    }


def run_in_bulk(args: argparse.Namespace, job: "Job") -> int:
    """Hear all recordings, write the tables, and say what was done.

    Raises:
        AudioError: none of them can be heard.
    """
    from rich.console import Console

    from ast_edge.archive.bulk import work_through
    from ast_edge.archive.folder import Folder
    from ast_edge.archive.recordings import Shard

    folder = Folder(args.out, args.shard or Shard())
    console = Console(stderr=True, highlight=False)
    outcome = work_through(
        job,
        recordings(args),
        folder,
        _crew(args),
        resume=bool(args.resume),
        console=console,
    )
    print(_summary(outcome, folder), file=sys.stderr)
    if outcome.failed and not outcome.recordings:
        raise AudioError(f"none of {outcome.failed:,} recordings can be heard: see errors.parquet")
    return 0


def _crew(args: argparse.Namespace) -> "Callable[[Job], Crew]":
    """Return what hires the workers that the options ask for."""
    from ast_edge.archive.bulk import cores, processes

    if args.ray is None:
        return processes(args.jobs or cores())
    from ast_edge.archive.ray_crew import RayCrew, Share

    share = Share(1.0 if args.cpus is None else args.cpus, args.gpus or 0.0)
    return lambda job: RayCrew(job, args.jobs or _ON_A_CLUSTER, args.ray, share)


def _summary(outcome: "Outcome", folder: "Folder") -> str:
    main = "events" if "events" in outcome.rows else "tags"
    lines = [f"{outcome.recordings:,} recordings, {outcome.rows[main]:,} {main}: "]
    lines[0] += str(folder.table(main))
    if outcome.watch.done:
        lines.append(f"this run: {outcome.watch.line()}")
    if outcome.failed:
        errors = folder.table("errors")
        lines.append(f"{outcome.failed:,} cannot be heard: {errors}; --resume tries them again")
    return "\n".join(lines)


def path_or_address(text: str) -> str:
    """Leave a name as it is: a path would lose a slash of an address."""
    return text


def local_folder(text: str) -> Path:
    """Read the name of a folder of results, which is one of this machine."""
    from ast_edge.archive.remote import is_remote

    if is_remote(text):
        raise argparse.ArgumentTypeError(
            f"expected a folder of this machine, got {text}: results are written here and copied "
            "when they are complete (aws s3 cp --recursive, gsutil cp -r)"
        )
    return Path(text)


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 64:
        raise argparse.ArgumentTypeError(f"expected a share such as 0.5, got {text}")
    return share


def _jobs(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text) <= 1024):
        raise argparse.ArgumentTypeError(f"expected a number of processes from 1, got {text}")
    return int(text)


def _shard(text: str) -> "Shard":
    from ast_edge.archive.recordings import parse_shard

    try:
        return parse_shard(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc
