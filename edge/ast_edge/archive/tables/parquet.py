"""Parquet files: written in one way, so that the same rows are the same bytes."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ast_edge.archive.errors import ArchiveError, ArchiveStorageError
from ast_edge.base.files import atomic_file

if TYPE_CHECKING:
    import pyarrow


def need_pyarrow() -> None:
    """Refuse to begin what could not be written.

    Raises:
        ArchiveError: pyarrow is not installed.
    """
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as exc:
        raise ArchiveError(
            f"Parquet needs pyarrow, which cannot be imported ({exc}): "
            "pip install 'ast-edge[archive]'"
        ) from exc


def write_table(
    path: Path, schema: "pyarrow.Schema", tables: "Iterable[pyarrow.Table]", rows: int
) -> int:
    """Write tables, one after the other, as one file that is there whole or not at all.

    How the rows are cut into tables changes nothing.

    Returns:
        the number of rows.

    Raises:
        ArchiveStorageError: it cannot be written; what was there stays.
    """
    import pyarrow
    from pyarrow import parquet

    total = 0
    try:
        with (
            atomic_file(path, durable=True) as partial,
            parquet.ParquetWriter(partial, schema, compression="zstd") as writer,
        ):
            for table in _cut(schema, tables, rows):
                writer.write_table(table, row_group_size=rows)
                total += len(table)
    except (OSError, pyarrow.ArrowException) as exc:
        raise ArchiveStorageError(
            f"{path}: cannot be written: {exc}; nothing that was heard is lost: make room and go "
            "on with --resume"
        ) from exc
    return total


def _cut(
    schema: "pyarrow.Schema", tables: "Iterable[pyarrow.Table]", rows: int
) -> "Iterator[pyarrow.Table]":
    """Yield the rows of tables in tables of so many rows; the last may have fewer."""
    import pyarrow

    waiting: list[pyarrow.Table] = []
    count = 0
    for table in tables:
        waiting.append(table)
        count += len(table)
        if count < rows:
            continue
        whole = pyarrow.concat_tables(waiting)
        while len(whole) >= rows:
            yield whole.slice(0, rows).combine_chunks()
            whole = whole.slice(rows)
        waiting, count = [whole], len(whole)
    if count:
        yield pyarrow.concat_tables(waiting).combine_chunks()
