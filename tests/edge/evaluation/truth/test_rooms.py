from pathlib import Path

import pytest

from ast_edge.evaluation.errors import EvaluationError
from ast_edge.evaluation.truth.rooms import find_rooms, read_rooms

FILES = [Path("day/a.flac"), Path("night/a.flac"), Path("b.flac")]


def write(folder, *rows):
    table = folder / "rooms.tsv"
    table.write_text("\n".join(["filename\troom", *rows]) + "\n")
    return table


def test_each_recording_is_a_room_of_its_own_unless_a_table_names_it(tmp_path):
    assert len(set(find_rooms(FILES, None).values())) == 3
    rooms = find_rooms(FILES, write(tmp_path, "a.flac\tkitchen"))
    assert [rooms[path] for path in FILES] == ["kitchen", "kitchen", "b.flac"]


def test_files_are_found_beside_the_table(tmp_path):
    paths = [tmp_path / path for path in FILES]
    table = write(tmp_path, "day/a.flac\tkitchen", "b.flac\tkitchen")
    assert list(find_rooms(paths, table).values()) == ["kitchen", str(paths[1]), "kitchen"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["a.flac\t"], "line 2: expected a filename and a room"),
        (["a.flac\tx", "a.flac\ty"], "line 3: a.flac is in two rooms"),
        (["c.flac\tx"], "c.flac is none of the recordings"),
    ],
)
def test_a_table_that_makes_no_sense_is_refused(tmp_path, rows, message):
    with pytest.raises(EvaluationError, match=message):
        find_rooms(FILES, write(tmp_path, *rows))


def test_a_table_without_its_columns_is_refused(tmp_path):
    table = tmp_path / "rooms.tsv"
    table.write_text("file\troom\n")
    with pytest.raises(EvaluationError, match="got no filename"):
        read_rooms(table)
    with pytest.raises(EvaluationError, match="cannot be read"):
        read_rooms(tmp_path / "none.tsv")
