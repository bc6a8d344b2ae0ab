"""A file of what people said, that only grows."""

import json

import pytest

from ast_edge.outputs.reviews import newest_lines, read_reviews
from ast_edge.web import reviews
from ast_edge.web.reviews import ReviewError, Reviews, reviews_path

EVENT = {
    **{"id": "a" * 32, "node": "attic", "label": "Dog", "slug": "dog", "source": "hall"},
    **{"onset": "2026-11-28T17:09:12.204Z", "peak": 0.9},
}
OTHER = EVENT | {"id": "b" * 32}
NAMES = {"Dog", "Cat"}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "reviews.jsonl"


def test_the_newest_word_on_an_event_holds(path):
    book = Reviews(path)
    book.add([EVENT, OTHER], "right", None, NAMES)
    book.add([EVENT], "other", "Cat", NAMES)
    assert {i: r["verdict"] for i, r in book.verdicts().items()} == {
        "a" * 32: "other",
        "b" * 32: "right",
    }
    assert book.verdicts()["a" * 32]["true"] == "Cat"


def test_what_is_undone_was_never_said_and_still_stands_in_the_file(path):
    book = Reviews(path)
    book.add([EVENT], "wrong", None, NAMES)
    book.add([EVENT], "undone", None, NAMES)
    assert book.verdicts() == {}
    assert len(path.read_text().splitlines()) == 2


def test_the_file_is_this_users_alone(path):
    Reviews(path).add([EVENT], "right", None, NAMES)
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("verdict", "label"),
    [("maybe", None), ("other", None), ("right", "Dog"), ("other", "")]
    + [("other", no) for no in (" \t", "…", "a" * 81, "a\x1b[2J", "a\u202eb", "\ud800a")],
)
def test_what_makes_no_sense_is_refused_and_not_written(path, verdict, label):
    with pytest.raises(ReviewError):
        Reviews(path).add([EVENT], verdict, label, NAMES)
    assert not path.exists()


def test_what_it_was_may_be_a_name_that_no_model_knows(path):
    Reviews(path).add([EVENT], "other", "  Nachbars  Tür ", NAMES)
    assert read_reviews(path).reviews[0].true == "Nachbars Tür"


def test_a_known_label_is_written_as_it_is_known(path):
    Reviews(path).add([EVENT], "other", "cat", NAMES)
    assert newest_lines(path)["a" * 32]["true"] == "Cat"


def test_a_line_that_a_power_cut_has_torn_costs_that_line_only(path):
    book = Reviews(path)
    book.add([EVENT], "right", None, NAMES)
    with path.open("a") as file:
        file.write('{"schema": 1, "verd')
    book.add([OTHER], "wrong", None, NAMES)
    assert set(book.verdicts()) == {"a" * 32, "b" * 32}


def test_a_hostile_label_stays_one_line_of_json(path):
    book = Reviews(path)
    book.add([EVENT | {"label": 'x"\n{"id": "' + "c" * 32}], "right", None, NAMES)
    (line,) = path.read_text().splitlines()
    assert json.loads(line)["id"] == "a" * 32


def test_a_disk_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ReviewError, match="cannot be written"):
        Reviews(tmp_path / "file" / "reviews.jsonl").add([EVENT], "right", None, NAMES)


def test_a_file_that_is_full_takes_no_more(path, monkeypatch):
    monkeypatch.setattr(reviews, "MOST_BYTES", 100)
    with pytest.raises(ReviewError, match="put it aside"):
        Reviews(path).add([EVENT], "right", None, NAMES)


def test_the_file_stands_in_the_state_folder_unless_given(state_folder, path):
    assert reviews_path(None, "attic") == state_folder / "reviews-attic.jsonl"
    assert reviews_path(path, "attic") == path
