"""The tables of all shards as those of one run."""

import heapq
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from ast_edge.archive.errors import ArchiveError, ArchiveStorageError
from ast_edge.archive.folder import Folder, read_about
from ast_edge.archive.recordings import Shard
from ast_edge.archive.tables.parquet import need_pyarrow, write_table
from ast_edge.archive.tables.schema import COLUMNS, rows_in_group

if TYPE_CHECKING:
    import pyarrow

_ROWS = 8192
"""Read of a shard at once."""
_AT_ONCE = 1000
"""Recordings whose rows are put together before they are cut anew."""


def shards_of(path: Path) -> list[Folder]:
    """Return the shards of a folder of results, all of which are done.

    Raises:
        ArchiveError: it is no such folder, or a shard is missing.
    """
    count = int(read_about(path).get("shards", 1))
    folders = [Folder(path, Shard(number, count)) for number in range(1, count + 1)]
    missing = [one.shard for one in folders if not one.table("files").exists()]
    if missing:
        some = ", ".join(f"{shard.number}/{shard.count}" for shard in missing[:5])
        raise ArchiveError(
            f"{path}: {len(missing)} of {count} shard(s) are not done: {some}"
            + (", ..." if len(missing) > 5 else "")
        )
    return folders


def tables_in(folders: list[Folder]) -> list[str]:
    """Return the names of the tables that shards have."""
    return [name for name in COLUMNS if all(one.table(name).exists() for one in folders)]


def merge(path: Path, out: Path) -> dict[str, int]:
    """Write the tables of all shards as one run would have; return how many rows each has.

    Raises:
        ArchiveError: a shard is missing, or `out` holds other results.
        ArchiveStorageError: a table cannot be read or written.
    """
    need_pyarrow()
    folders = shards_of(path)
    if out.exists() and out.samefile(path):
        raise ArchiveError(f"{out}: expected another folder, or all would be there twice")
    whole = Folder(out, Shard())
    whole.claim(read_about(path)["parameters"])
    return {name: _merge(folders, whole, name) for name in tables_in(folders)}


def _merge(folders: list[Folder], whole: Folder, name: str) -> int:
    import pyarrow
    from pyarrow import parquet

    try:
        files = [parquet.ParquetFile(one.table(name)) for one in folders]
        runs = heapq.merge(*map(_by_recording, files), key=lambda run: run[0])

        def tables() -> "Iterator[pyarrow.Table]":
            while some := list(islice(runs, _AT_ONCE)):
                yield pyarrow.concat_tables([table for _, table in some])

        return write_table(whole.table(name), files[0].schema_arrow, tables(), rows_in_group(name))
    except (OSError, pyarrow.ArrowException) as exc:
        raise ArchiveStorageError(f"{folders[0].path}: {name}: cannot be read: {exc}") from exc


def _by_recording(file: "pyarrow.parquet.ParquetFile") -> "Iterator[tuple[bytes, pyarrow.Table]]":
    """Yield the rows of one recording after the other, with its name (its parts, if many)."""
    import pyarrow

    for batch in file.iter_batches(batch_size=_ROWS):
        names = batch.column("file").to_pylist()
        start = 0
        for end in range(1, len(names) + 1):
            if end == len(names) or names[end] != names[start]:
                rows = pyarrow.Table.from_batches([batch.slice(start, end - start)])
                yield names[start].encode(), rows
                start = end
