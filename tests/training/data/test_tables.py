import unicodedata

import pytest

from ast_edge.base.errors import ConfigError
from ast_edge.model.label import Label
from ast_training.data.tables import read_labels, read_rows


def test_a_spreadsheets_byte_order_mark_is_no_part_of_the_first_column(tmp_path):
    (tmp_path / "t.csv").write_text("filename,label\na,b\n", encoding="utf-8-sig")
    assert list(read_rows(tmp_path / "t.csv", ["filename"])) == [{"filename": "a", "label": "b"}]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_no_part_of_the_first_label(tmp_path, encoding):
    (tmp_path / "labels.txt").write_text("Dog\nCat\n", encoding=encoding)
    assert [label.name for label in read_labels(tmp_path / "labels.txt")] == ["Dog", "Cat"]


@pytest.mark.parametrize(
    "rows", ["a.wav,Child speech, kid speaking", "a.wav,Dog\nb.wav,Child speech, kid speaking"]
)
def test_a_comma_that_is_not_quoted_is_refused(tmp_path, rows):
    (tmp_path / "t.csv").write_text(f"filename,label\n{rows}\n")
    line = rows.count("\n") + 2
    reason = rf"t\.csv:{line}: expected 2 values, got 3; a value with a comma in it needs quotes"
    with pytest.raises(ConfigError, match=reason):
        list(read_rows(tmp_path / "t.csv", ["filename"]))


def test_a_quoted_comma_is_part_of_the_value_also_after_a_space(tmp_path):
    text = 'filename,label\na,"Child speech, kid speaking"\nb, "Child speech, kid speaking"\n'
    (tmp_path / "t.csv").write_text(text)
    labels = [row["label"] for row in read_rows(tmp_path / "t.csv", [])]
    assert labels == ["Child speech, kid speaking"] * 2


def test_a_comma_at_the_end_of_a_line_is_no_value(tmp_path):
    (tmp_path / "t.csv").write_text("filename,label\na,b,\n")
    assert list(read_rows(tmp_path / "t.csv", [])) == [{"filename": "a", "label": "b"}]


def test_a_column_that_stands_twice_is_refused(tmp_path):
    (tmp_path / "t.csv").write_text("filename,label,label\na,b,c\n")
    with pytest.raises(ConfigError, match="expected a column 'label', got filename, label, label"):
        list(read_rows(tmp_path / "t.csv", ["label"]))


def test_a_comma_that_is_not_quoted_is_refused_in_a_list_of_labels(tmp_path):
    text = "index,mid,display_name\n0,/m/0ytgt,Child speech, kid speaking\n"
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(ConfigError, match=r"labels\.csv:2: expected 3 values, got 4"):
        read_labels(tmp_path / "labels.csv")


def test_a_label_is_spelt_one_way_however_it_is_written(tmp_path):
    for form in ("NFC", "NFD"):
        (tmp_path / "labels.txt").write_text(unicodedata.normalize(form, "Türklingel"))
        assert read_labels(tmp_path / "labels.txt")[0].name == "T\u00fcrklingel"


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
