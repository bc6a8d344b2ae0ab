"""What commands read of reviews: the newest word on each event, with its sound."""

import pytest
from rigs.reviews import clip_of, said, write_reviews

from ast_edge.outputs.reviews import ReviewFileError, has_clip, newest_lines, read_reviews


@pytest.fixture
def path(tmp_path):
    return tmp_path / "reviews-attic.jsonl"


def test_the_newest_word_on_each_event_says_what_it_was(path):
    write_reviews(
        path,
        said(1, "wrong"),
        said(2),
        said(3),
        said(1, "other", true="Hiss"),
        said(3, "undone"),
        said(4, "wrong"),
    )
    book = read_reviews(path)
    assert [(r.id[-1], r.true, r.is_right) for r in book.reviews] == [
        ("2", "Hum", True),
        ("1", "Hiss", False),
        ("4", None, False),
    ]


@pytest.mark.parametrize(
    "line",
    [
        '{"schema": 1, "verd',
        "[]",
        "[" * 100_000,
        "\x00\x00",
        said(9, id=9),
        said(9, "maybe"),
        said(9, "other"),
        said(9, label=None),
        said(9, label="\ud800"),
        said(9, onset="yesterday"),
        said(9, peak=float("nan")),
        said(9, duration=-1),
        said(9, duration=float("inf")),
        said(9, onset="9999-12-31T23:59:59-23:00"),
        said(9, schema=None),
    ],
)
def test_a_damaged_line_costs_that_line_and_is_said(path, line):
    book = read_reviews(write_reviews(path, said(1), line, said(2)))
    assert len(book.reviews) == 2
    assert book.damaged == [2]
    assert "a line is damaged and passed over, the first of them line 2" in book.notes[0]


def test_a_file_that_an_editor_has_marked_is_read(path):
    write_reviews(path, said(1), "")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n") + b"\xff\xfe")
    assert len(read_reviews(path).reviews) == 1


def test_reviews_of_a_newer_version_are_refused(path):
    write_reviews(path, said(1), said(2, schema=2))
    with pytest.raises(ReviewFileError, match="line 2: expected reviews of schema 1, got 2"):
        read_reviews(path)


@pytest.mark.parametrize("lines", [[""], ["x", "y"], [said(1), said(1, "undone")]])
def test_a_file_without_any_review_is_refused(path, lines):
    with pytest.raises(ReviewFileError, match="expected reviews of events, found none"):
        read_reviews(write_reviews(path, *lines))


def test_a_file_that_is_not_there_is_refused(path):
    with pytest.raises(ReviewFileError, match=r"No such file.*reviews-NODE\.jsonl"):
        read_reviews(path)


def test_a_clip_is_where_it_was_or_where_it_has_gone(path, tmp_path):
    moved = tmp_path / "moved"
    moved.mkdir()
    for place in (clip_of(tmp_path, 1), clip_of(moved, 2)):
        place.touch()
    one, two = said(1, clip=str(clip_of(tmp_path, 1))), said(2, clip=str(clip_of(tmp_path, 2)))
    write_reviews(path, one, two, said(3))
    assert [has_clip(r) for r in read_reviews(path).reviews] == [True, False, False]
    book = read_reviews(path, clips=moved)
    assert [r.clip for r in book.reviews] == [clip_of(tmp_path, 1), clip_of(moved, 2), None]


def test_a_file_that_is_no_clip_of_the_event_is_not_its_sound(path, tmp_path):
    clip_of(tmp_path, 2).touch()
    write_reviews(path, said(1, clip=str(clip_of(tmp_path, 2))), said(3, clip=["x"]))
    assert [r.clip for r in read_reviews(path).reviews] == [None, None]


def test_a_clip_that_cannot_be_looked_for_is_not_there(path):
    clip = "/" + "x" * 300 + f"_{1:032x}.flac"
    (review,) = read_reviews(write_reviews(path, said(1, clip=clip))).reviews
    assert review.clip
    assert not has_clip(review)


def test_a_folder_of_clips_that_is_not_there_is_refused(path, tmp_path):
    with pytest.raises(ReviewFileError, match="expected a folder of clips"):
        read_reviews(write_reviews(path, said(1)), clips=tmp_path / "gone")


@pytest.mark.parametrize("line", ["[]", "1", said(1, id=1), said(1, schema=2), "[" * 100_000])
def test_the_page_passes_over_lines_of_others(path, line):
    assert newest_lines(write_reviews(path, line)) == {}


def test_the_page_has_no_reviews_before_the_first(path):
    assert newest_lines(path) == {}
