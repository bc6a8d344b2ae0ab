import json

import numpy as np
import pytest

from ast_edge.base.errors import ConfigError
from ast_training.data.clip_table import Ragged, read_table

ROW = {"name": "a", "path": "a.wav", "labels": ["Hum"], "split": "train", "seconds": 1.5}


def read(tmp_path, *rows):
    path = tmp_path / "clips.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return read_table(path, ["Hum", "Hiss"])


def test_rows_of_different_length_are_kept_apart():
    ragged = Ragged(np.arange(5), np.array([0, 2, 2, 5]))
    assert [ragged[index].tolist() for index in range(4)] == [[], [0, 1], [], [2, 3, 4]]
    assert ragged.lengths.tolist() == [0, 2, 0, 3]


def test_columns_hold_what_the_rows_say(tmp_path):
    table = read(tmp_path, ROW, ROW | {"fold": 3, "labels": [], "offset": 2**40, "size": 7})
    assert len(table) == 2
    assert table.labels[0].tolist() == [0]
    assert table.folds.tolist() == [0, 3]
    assert table.offsets.tolist() == [-1, 2**40]
    assert table.sizes.tolist() == [-1, 7]


def test_a_source_is_read_where_it_was_written(tmp_path):
    table = read(tmp_path, ROW | {"group": "speaker 7"}, ROW)
    assert [table.groups.text(index) for index in range(2)] == ["speaker 7", ""]


def test_a_set_without_clips_has_no_rows(tmp_path):
    assert len(read(tmp_path)) == 0


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"labels": ["Howl"]}, "'Howl' is missing, or no label or split of the set"),
        ({"split": "dev"}, "'dev' is missing, or no label or split of the set"),
        ({"seconds": None}, "must be real number"),
        ({"name": 7}, "'int' object has no attribute 'encode'"),
        ({"group": 7}, "'int' object has no attribute 'encode'"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(tmp_path, change, reason):
    with pytest.raises(ConfigError, match=rf"clips\.jsonl:2: .*{reason}"):
        read(tmp_path, ROW, ROW | change)


def test_a_row_that_lacks_something_is_named(tmp_path):
    row = {key: value for key, value in ROW.items() if key != "path"}
    with pytest.raises(ConfigError, match=r"clips\.jsonl:1: 'path' is missing"):
        read(tmp_path, row)


def test_a_line_that_is_no_json_is_named(tmp_path):
    path = tmp_path / "clips.jsonl"
    path.write_text(json.dumps(ROW) + "\n{half")
    with pytest.raises(ConfigError, match=r"clips\.jsonl:2: not JSON"):
        read_table(path, ["Hum"])
