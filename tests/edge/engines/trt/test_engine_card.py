import json

import pytest
from rigs.full_disk import files_end_at
from rigs.gpu.engine_card import make_card

from ast_edge.base.errors import EngineError
from ast_edge.engines.trt.engine_card import card_path, read_card, read_engine, write_engine

PLAN = b"engine" * 1000


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "engines" / "home.engine"
    write_engine(path, PLAN, make_card(PLAN))
    return path


def change(path, **values):
    tree = json.loads(card_path(path).read_text()) | values
    card_path(path).write_text(json.dumps(tree))


def test_an_engine_and_its_card_are_read_as_written(path):
    assert read_engine(path) == (PLAN, make_card(PLAN))


def test_the_card_lies_beside_the_engine(path):
    assert [p.name for p in sorted(path.parent.iterdir())] == [
        "home.engine",
        "home.engine.json",
    ]


@pytest.mark.parametrize(
    ("plan", "complaint"),
    [
        (b"", "expected 6000 bytes, got 0"),
        (PLAN[:-1], "expected 6000 bytes, got 5999"),
        (PLAN[:-1] + b"!", "was changed: expected sha256 "),
    ],
    ids=["empty", "truncated", "altered"],
)
def test_a_damaged_engine_is_refused(path, plan, complaint):
    path.write_bytes(plan)
    with pytest.raises(EngineError, match=complaint) as caught:
        read_engine(path)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "\0\0", '{"format": 1}', "[" * 100_000], ids=repr
)
def test_a_damaged_card_is_refused_in_one_line(path, text):
    card_path(path).write_text(text)
    with pytest.raises(EngineError, match=r"home\.engine\.json: is not the card") as caught:
        read_engine(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"format": 2}, "format: Input should be 1"),
        ({"colour": "red"}, "colour: "),
        ({"size": "large"}, "size: "),
        ({"profile": {"min": [1], "opt": [1]}}, r"profile\.max: "),
        ({"inputs": [{"name": "fbank", "dtype": "float32", "shape": [-1], "x": 1}]}, "inputs.0.x"),
    ],
    ids=str,
)
def test_a_card_that_says_something_else_is_refused_with_the_field(path, values, complaint):
    change(path, **values)
    with pytest.raises(EngineError, match=complaint):
        read_card(card_path(path))


@pytest.mark.parametrize("missing", ["home.engine", "home.engine.json"])
def test_a_missing_file_is_named(path, missing):
    (path.parent / missing).unlink()
    with pytest.raises(EngineError, match=f"{missing}: cannot be read: No such file"):
        read_engine(path)


def test_a_full_disk_leaves_the_engine_that_was_there(path):
    large = bytes(10_000)
    with files_end_at(8_000), pytest.raises(EngineError, match="cannot be written: File too large"):
        write_engine(path, large, make_card(large))
    assert read_engine(path) == (PLAN, make_card(PLAN))


def test_a_full_disk_leaves_nothing_half_written(tmp_path):
    with files_end_at(100), pytest.raises(EngineError):
        write_engine(tmp_path / "home.engine", PLAN, make_card(PLAN))
    assert list(tmp_path.iterdir()) == []


def test_a_disk_without_space_for_the_card_leaves_the_engine_that_was_there(path):
    with files_end_at(100), pytest.raises(EngineError):
        write_engine(path, b"small", make_card(b"small"))
    assert read_engine(path) == (PLAN, make_card(PLAN))


def test_a_file_in_place_of_the_folder_is_said(tmp_path):
    (tmp_path / "engines").touch()
    with pytest.raises(EngineError, match=r"home\.engine: cannot be written"):
        write_engine(tmp_path / "engines" / "home.engine", PLAN, make_card(PLAN))
