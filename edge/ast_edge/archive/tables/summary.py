"""What an archive holds: how many events of which label, on which day."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ast_edge.archive.errors import ArchiveError, ArchiveStorageError
from ast_edge.archive.folder import Folder
from ast_edge.archive.tables.merge import shards_of, tables_in
from ast_edge.archive.tables.parquet import need_pyarrow

if TYPE_CHECKING:
    import pyarrow

_NO_DAY = ""
"""Of recordings whose time nothing tells."""


@dataclass
class Summary:
    """Counts of a folder of results."""

    recordings: int = 0
    seconds: float = 0.0
    damaged: int = 0
    has_events: bool = False
    """Whether events were looked for at all."""
    events: Counter[str] = field(default_factory=Counter)
    """Of each label."""
    lasted: Counter[str] = field(default_factory=Counter)
    """Milliseconds of events of each label."""
    days: Counter[str] = field(default_factory=Counter)
    """Events of each day (UTC), such as "2026-03-01"; those of an unknown day under ""."""
    heard: Counter[str] = field(default_factory=Counter)
    """Recordings of each day."""
    errors: Counter[str] = field(default_factory=Counter)
    """Of each kind."""


def summarize(path: Path) -> Summary:
    """Count what all shards of a folder hold.

    Raises:
        ArchiveError: it is no folder of results, or a shard is not done.
        ArchiveStorageError: a table cannot be read.
    """
    need_pyarrow()
    folders = shards_of(path)
    found = Summary()
    for batch in batches_of(folders, "files", ["duration", "time", "damage"]):
        found.recordings += len(batch)
        found.seconds += sum(batch.column("duration").to_pylist())
        found.damaged += len(batch) - batch.column("damage").null_count
        found.heard += _days(batch)
    found.has_events = "events" in tables_in(folders)
    if found.has_events:
        for batch in batches_of(folders, "events", ["label", "onset", "offset", "time"]):
            found.events += _counts(batch.column("label"))
            found.lasted += _lasted(batch)
            found.days += _days(batch)
    for batch in batches_of(folders, "errors", ["kind"]):
        found.errors += _counts(batch.column("kind"))
    return found


def need_events(folders: list[Folder]) -> None:
    """Refuse results in which no events were looked for.

    Raises:
        ArchiveError: there is no table of them.
    """
    if "events" not in tables_in(folders):
        raise ArchiveError(
            f"{folders[0].path}: expected a table of events, got results of `ast-edge tag`; "
            "`ast-edge replay` finds events"
        )


def batches_of(
    folders: list[Folder], name: str, columns: list[str]
) -> "Iterator[pyarrow.RecordBatch]":
    """Yield the rows of a table of all shards, one shard after the other.

    Raises:
        ArchiveStorageError: it cannot be read.
    """
    import pyarrow
    from pyarrow import parquet

    for folder in folders:
        path = folder.table(name)
        try:
            yield from parquet.ParquetFile(path).iter_batches(columns=columns)
        except (OSError, pyarrow.ArrowException) as exc:
            raise ArchiveStorageError(f"{path}: cannot be read: {exc}") from exc


def _counts(column: "pyarrow.Array") -> Counter[str]:
    pairs = column.value_counts().to_pylist()
    return Counter({str(pair["values"]): pair["counts"] for pair in pairs})


def _days(batch: "pyarrow.RecordBatch") -> Counter[str]:
    import pyarrow

    counts = _counts(batch.column("time").cast(pyarrow.date32(), safe=False))
    unknown = counts.pop("None", 0)
    return counts + Counter({_NO_DAY: unknown})


def _lasted(batch: "pyarrow.RecordBatch") -> Counter[str]:
    """Return the milliseconds of events of each label."""
    import pyarrow
    from pyarrow import compute

    seconds = compute.subtract(batch.column("offset"), batch.column("onset"))
    table = pyarrow.table({"label": batch.column("label"), "seconds": seconds})
    rows = table.group_by("label").aggregate([("seconds", "sum")]).to_pylist()
    return Counter({row["label"]: round(1000 * row["seconds_sum"]) for row in rows})
