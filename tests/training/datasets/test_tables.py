import pytest

from ast_edge.errors import ConfigError
from ast_edge.events import Label
from ast_training.datasets.tables import read_labels, read_rows


def test_a_spreadsheets_byte_order_mark_is_no_part_of_the_first_column(tmp_path):
    (tmp_path / "t.csv").write_text("filename,label\na,b\n", encoding="utf-8-sig")
    assert list(read_rows(tmp_path / "t.csv", ["filename"])) == [{"filename": "a", "label": "b"}]


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not a CSV file in UTF-8"):
        list(read_rows(tmp_path / "t.csv", []))


def test_labels_are_the_lines_of_a_text(tmp_path):
    (tmp_path / "labels.txt").write_text("Hum\n\n Long beep \n")
    assert read_labels(tmp_path / "labels.txt") == (Label(0, "Hum", ""), Label(1, "Long beep", ""))


def test_labels_are_the_rows_of_audiosets_table(tmp_path):
    text = 'index,mid,display_name\n0,/m/09x0r,"Speech"\n1,/m/05zppz,"Male speech, man speaking"\n'
    (tmp_path / "labels.csv").write_text(text)
    assert read_labels(tmp_path / "labels.csv") == (
        Label(0, "Speech", "/m/09x0r"),
        Label(1, "Male speech, man speaking", "/m/05zppz"),
    )


@pytest.mark.parametrize(("text", "reason"), [("a\nb\na\n", "names 'a' twice"), ("", "no label")])
def test_labels_that_cannot_be_used_are_refused(tmp_path, text, reason):
    (tmp_path / "labels.txt").write_text(text)
    with pytest.raises(ConfigError, match=reason):
        read_labels(tmp_path / "labels.txt")
