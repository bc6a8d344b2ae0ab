"""What was found, as tables: from the journal of a shard to its Parquet files."""

import json
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from ast_edge.archive.folder import Folder
from ast_edge.archive.job import Job, digest
from ast_edge.archive.journal import Journal
from ast_edge.archive.tables.parquet import write_table
from ast_edge.archive.tables.schema import rows_in_group, schema_of, table_of

if TYPE_CHECKING:
    import pyarrow

_AT_ONCE = 1000
"""Recordings whose rows are in memory together."""

Row = tuple[Any, ...]


class Tables:
    """The tables of a shard; each is in the order of the recordings' names, then of time."""

    def __init__(self, job: Job, journal: Journal) -> None:
        """Take what is known of the recordings of a job."""
        self._job, self._journal = job, journal
        parameters = job.parameters
        self._origin = (job.hearing.bundle.name, digest(parameters))
        self._labels = {label.index: label for label in [*job.bundle.labels, *job.hearing.settings]}
        self._about = {
            "ast_edge.parameters": json.dumps(parameters, ensure_ascii=False),
            "ast_edge.labels": json.dumps(parameters["labels"], ensure_ascii=False),
        }

    def write(self, folder: Folder) -> dict[str, int]:
        """Write all that the job asks for; return how many rows each table has.

        Raises:
            ArchiveStorageError: one cannot be written.
        """
        rows = {"files": self._files(), "errors": self._errors()}
        if self._job.events:
            rows["events"] = self._events()
        else:
            rows["tags"] = self._tags()
        written = dict[str, int]()
        for name, some in rows.items():
            written[name] = self._write(folder, name, self._grouped(name, some))
        for name in ("scores", "embeddings"):
            if getattr(self._job, name):
                written[name] = self._write(folder, name, self._windows(name))
        return written

    def _write(self, folder: Folder, name: str, tables: "Iterable[pyarrow.Table]") -> int:
        return write_table(folder.table(name), self._schema(name), tables, rows_in_group(name))

    def _schema(self, name: str) -> "pyarrow.Schema":
        width = self._job.bundle.embedding if name == "embeddings" else None
        return schema_of(name, width or len(self._job.bundle.labels), self._about)

    def _grouped(self, name: str, rows: Iterator[list[Row]]) -> "Iterator[pyarrow.Table]":
        """Make tables of the rows of some recordings at a time."""
        schema = self._schema(name)
        while some := list(islice(rows, _AT_ONCE)):
            yield table_of(schema, list(chain.from_iterable(some)))

    def _files(self) -> Iterator[list[Row]]:
        for one in self._journal.done():
            sound = (round(one.seconds, 3), one.sample_rate, one.channels)
            began = _time(one.started_at, 0.0)
            yield [(one.name, *sound, one.size, began, one.damage, *self._origin)]

    def _errors(self) -> Iterator[list[Row]]:
        for name, kind, reason in self._journal.failed():
            yield [(name, kind, reason)]

    def _events(self) -> Iterator[list[Row]]:
        for one in self._journal.done():
            found = []
            for label, onset, offset, peak in self._journal.events(one):
                what = (self._labels[label].name, self._labels[label].mid, peak)
                when = (onset, offset, _time(one.started_at, onset))
                found.append((one.name, *when, *what, *self._origin))
            yield found

    def _tags(self) -> Iterator[list[Row]]:
        for one in self._journal.done():
            about = (one.name, round(one.seconds, 3), _time(one.started_at, 0.0))
            yield [(*about, self._journal.best(one), *self._origin)]

    def _windows(self, name: str) -> "Iterator[pyarrow.Table]":
        """Make a table of the scores or embeddings of each stretch."""
        import pyarrow

        schema = self._schema(name)
        kind = schema.types[-1]
        for one in self._journal.done():
            for times, values in self._journal.windows(one, name):
                began = [_time(one.started_at, onset) for onset in times[:, 0].tolist()]
                arrays = [
                    pyarrow.array([one.name] * len(times), schema.types[0]),
                    *(pyarrow.array(times[:, n].copy()) for n in (0, 1)),
                    pyarrow.array(began, schema.types[3]),
                    pyarrow.FixedSizeListArray.from_arrays(
                        pyarrow.array(values.reshape(-1)), kind.list_size
                    ).cast(kind),
                ]
                yield pyarrow.Table.from_arrays(arrays, schema=schema)


def _time(started_at: float | None, second: float) -> int | None:
    """Return milliseconds of Unix time."""
    return None if started_at is None else round((started_at + second) * 1000)
