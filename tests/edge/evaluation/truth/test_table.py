import pytest

from ast_edge.evaluation.errors import EvaluationError
from ast_edge.evaluation.truth.table import read_table


def test_columns_are_found_by_name_and_others_left_out(tmp_path):
    table = tmp_path / "rooms.tsv"
    table.write_text("note\troom\tfilename\nx\t kitchen \ta.wav\n")
    assert list(read_table(table, ["filename", "room"])) == [
        (f"{table}: line 2", ["a.wav", "kitchen"])
    ]


def test_cells_that_are_missing_are_empty(tmp_path):
    (tmp_path / "t.tsv").write_text("filename\troom\na.wav\n")
    assert [cells for _, cells in read_table(tmp_path / "t.tsv", ["filename", "room"])] == [
        ["a.wav", ""]
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"filename,room\na.wav,kitchen\n", "tabs between them; got no filename"),
        (b"", "expected a first line with filename, room"),
        (b"filename\troom\n\xff\xfe\tx\n", "is not a table of text"),
    ],
)
def test_what_is_no_such_table_is_refused(tmp_path, content, message):
    (tmp_path / "t.tsv").write_bytes(content)
    with pytest.raises(EvaluationError, match=message):
        list(read_table(tmp_path / "t.tsv", ["filename", "room"]))


def test_a_table_that_is_not_there_is_said(tmp_path):
    with pytest.raises(EvaluationError, match=r"none\.tsv: cannot be read"):
        list(read_table(tmp_path / "none.tsv", ["filename"]))
