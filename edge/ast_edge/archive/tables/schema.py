"""The columns of the tables that a run writes."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow

COLUMNS: dict[str, dict[str, str]] = {
    "files": {
        "file": "text",
        "duration": "double",
        "sample_rate": "int",
        "channels": "int",
        "size": "long",
        "time": "time",
        "damage": "text",
        "model": "text",
        "parameters": "text",
    },
    "errors": {"file": "text", "kind": "text", "message": "text"},
    "events": {
        "file": "text",
        "onset": "double",
        "offset": "double",
        "time": "time",
        "label": "text",
        "mid": "text",
        "peak": "float",
        "model": "text",
        "parameters": "text",
    },
    "tags": {
        "file": "text",
        "duration": "double",
        "time": "time",
        "scores": "list",
        "model": "text",
        "parameters": "text",
    },
    "scores": {
        "file": "text",
        "onset": "double",
        "offset": "double",
        "time": "time",
        "scores": "list",
    },
    "embeddings": {
        "file": "text",
        "onset": "double",
        "offset": "double",
        "time": "time",
        "embedding": "list",
    },
}
"""Of each table the columns and their kinds."""
ROWS = 65_536
LIST_ROWS = 8192
"""In a row group: of a table with lists, which are long, fewer."""


def rows_in_group(name: str) -> int:
    """Return how many rows of a table make one row group."""
    return LIST_ROWS if "list" in COLUMNS[name].values() else ROWS


def schema_of(name: str, width: int, about: Mapping[str, str]) -> "pyarrow.Schema":
    """Return the schema of a table whose lists have so many numbers, and what is said of it."""
    import pyarrow

    kinds = {
        "text": pyarrow.string(),
        "double": pyarrow.float64(),
        "float": pyarrow.float32(),
        "int": pyarrow.int32(),
        "long": pyarrow.int64(),
        "time": pyarrow.timestamp("ms", tz="UTC"),
        # As Parquet calls it: what is read is what was written.
        "list": pyarrow.list_(pyarrow.field("element", pyarrow.float32()), width),
    }
    fields = [(column, kinds[kind]) for column, kind in COLUMNS[name].items()]
    return pyarrow.schema(fields, metadata=dict(about))


def table_of(schema: "pyarrow.Schema", rows: Sequence[Sequence[Any]]) -> "pyarrow.Table":
    """Make a table of rows, each with a value for every column."""
    import pyarrow

    columns = zip(*rows, strict=True) if rows else ([] for _ in schema)
    arrays = [pyarrow.array(list(v), f.type) for v, f in zip(columns, schema, strict=True)]
    return pyarrow.Table.from_arrays(arrays, schema=schema)
