import contextlib
import logging
import sqlite3

import pytest

from ast_edge.base.state_database import Tables

SCHEMA = "CREATE TABLE IF NOT EXISTS event (number INTEGER PRIMARY KEY)"
TABLES = Tables(format=1, schema=SCHEMA)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "events.sqlite"


def numbers(path, tables=TABLES):
    with contextlib.closing(tables.open(path, lock_timeout=0.1)) as database:
        return [number for (number,) in database.execute("SELECT number FROM event")]


def fill(path, tables=TABLES):
    with contextlib.closing(tables.open(path, lock_timeout=0.1)) as database, database:
        database.execute("INSERT INTO event VALUES (7)")


@pytest.mark.parametrize("exclusive", [False, True])
def test_what_was_put_is_there_when_it_is_opened_again(path, exclusive):
    tables = Tables(format=1, schema=SCHEMA, exclusive=exclusive)
    fill(path, tables)
    assert numbers(path, tables) == [7]


def test_others_may_read_what_is_not_exclusive(path):
    with contextlib.closing(TABLES.open(path, lock_timeout=0.1)):
        assert numbers(path) == []


def test_a_file_that_another_has_for_itself_is_not_taken_for_damaged(path):
    alone = Tables(format=1, schema=SCHEMA, exclusive=True)
    with (
        contextlib.closing(alone.open(path, lock_timeout=0.1)),
        pytest.raises(sqlite3.OperationalError, match="locked"),
    ):
        alone.open(path, lock_timeout=0.1)
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_a_file_of_another_format_is_put_aside_and_said(path, caplog):
    fill(path)
    assert numbers(path, Tables(format=2, schema=SCHEMA)) == []
    (record,) = [one for one in caplog.records if one.levelno >= logging.WARNING]
    assert "expected format 2, got 1" in record.getMessage()


def test_what_is_put_aside_is_of_one_file_and_its_changes(path):
    """The changes of an earlier one would be applied to a file that they are not of."""
    aside = path.with_name(path.name + ".damaged")
    path.parent.mkdir()
    aside.with_name(aside.name + "-wal").write_bytes(b"of an earlier one")
    path.write_bytes(b"no database" * 100)
    assert numbers(path) == []
    assert [one.name for one in path.parent.glob("*.damaged*")] == [aside.name]
