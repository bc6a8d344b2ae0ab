"""Recordings that are heard in bulk, and what is found in them."""

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pyarrow import parquet
from rich.console import Console

from ast_edge.archive.bulk import Outcome, processes, work_through
from ast_edge.archive.ear import Ear, Heard
from ast_edge.archive.evidence import find_events
from ast_edge.archive.folder import Folder
from ast_edge.archive.job import Job, Stretch
from ast_edge.archive.reading import open_reading
from ast_edge.archive.recordings import find_recordings, parse_shard
from ast_edge.cli.replay import replay
from ast_edge.detection.hearing import Hearing
from ast_edge.engines.config import EngineConfig
from ast_edge.engines.engine import Engine
from ast_edge.model.bundle import Bundle

Found = tuple[str, float, float, float]
"""Label, onset and offset in seconds, peak."""


def job_of(bundle: Bundle, *, events: bool = True, hop: float = 0.5, **options: Any) -> Job:
    """Return a job that looks for all that the bundle knows."""
    kept = {"scores", "embeddings", "stretch_seconds"} & set(options)
    wanted = {name: options.pop(name) for name in kept}
    hearing = Hearing(bundle, bundle.settings, hop, **options)
    return Job(hearing, EngineConfig(threads=1), events=events, **wanted)


def heard_in(
    job: Job, engine: Engine, path: Path, stretches: Iterable[Stretch], *, once: bool = False
) -> list[Heard]:
    """Hear stretches of a recording, until its end; each for itself, or all as it is read once."""
    ear, found, stretches = Ear(job, engine), list[Heard](), list(stretches)
    channel = job.hearing.conditioning.channel
    if not once:
        for stretch in stretches:
            with open_reading(str(path), channel) as reading:
                found.append(ear.hear(reading, stretch))
            if found[-1].last:
                return found
    with open_reading(str(path), channel) as reading:
        for stretch, following in zip(stretches, [*stretches[1:], None], strict=True):
            if following:
                reading.keep(ear.begins(following))
            found.append(ear.hear(reading, stretch))
            if found[-1].last:
                return found
    raise AssertionError("the recording is longer than its stretches")


def events_of(job: Job, heard: Sequence[Heard]) -> list[Found]:
    """Return the events of a recording, by onset."""
    events = find_events(job.hearing, "recording", [one.evidence for one in heard])
    return [_found(event) for event in events]


def replayed(job: Job, engine: Engine, path: Path) -> list[Found]:
    """Return what `ast-edge replay` finds in one pass, by onset."""
    events = sorted(
        replay(path, job.hearing, engine), key=lambda e: (e.onset, e.offset, e.label.index)
    )
    return [_found(event) for event in events]


def _found(event: Any) -> Found:
    return event.label.name, round(event.onset, 3), round(event.offset, 3), round(event.peak, 4)


def bulk(job: Job, folder: Path, out: Path, shard: str = "1/1", **options: Any) -> Outcome:
    """Hear a folder of recordings by worker processes, one unless said otherwise."""
    hire = options.pop("hire", None) or processes(options.pop("jobs", 1))
    given = {"resume": False} | options
    paths = find_recordings([str(folder)])
    where = Folder(out, parse_shard(shard))
    return work_through(job, paths, where, hire, console=Console(file=io.StringIO()), **given)


def rows(out: Path, name: str) -> list[dict[str, Any]]:
    """Return the rows of a table."""
    found: list[dict[str, Any]] = parquet.read_table(out / f"{name}.parquet").to_pylist()
    return found


def tables(out: Path) -> dict[str, bytes]:
    """Return what the tables of a run are, to the last bit."""
    return {path.name: path.read_bytes() for path in sorted(out.glob("*.parquet"))}
