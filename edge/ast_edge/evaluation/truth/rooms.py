"""Which recordings belong together, so that they say the same thing twice."""

from collections.abc import Collection, Mapping
from pathlib import Path

from ast_edge.evaluation.errors import EvaluationError
from ast_edge.evaluation.truth.table import read_table

COLUMNS = ["filename", "room"]


def read_rooms(path: Path) -> dict[str, str]:
    """Read a table with tabs between its columns, filename and room; others are left out.

    A room is whatever recordings have in common: a place, a recorder, a day.

    Raises:
        EvaluationError: if it cannot be read, lacks a column, or puts a file in two rooms.
    """
    rooms: dict[str, str] = {}
    for where, (name, room) in read_table(path, COLUMNS):
        if not name or not room:
            raise EvaluationError(f"{where}: expected a filename and a room")
        if rooms.setdefault(name, room) != room:
            raise EvaluationError(f"{where}: {name} is in two rooms, {rooms[name]} above")
    return rooms


def find_rooms(paths: Collection[Path], table: Path | None) -> dict[Path, str]:
    """Return the room of every recording: each is one of its own unless the table names it.

    The table has paths as seen from its own folder, or names of files.

    Raises:
        EvaluationError: if the table cannot be used, or names a file that is not among them.
    """
    rooms = read_rooms(table) if table else {}
    folder = table.parent if table else Path()
    beside = {(folder / name).resolve(): name for name in rooms}
    found = {path: beside.get(path.resolve()) or _named(path, rooms) for path in paths}
    if unused := rooms.keys() - found.values():
        raise EvaluationError(f"{table}: {min(unused)} is none of the recordings")
    return {path: rooms[name] if name else str(path) for path, name in found.items()}


def _named(path: Path, rooms: Mapping[str, str]) -> str | None:
    return path.name if path.name in rooms else None
