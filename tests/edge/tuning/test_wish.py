import pytest

from ast_edge.tuning.wish import parse_wish, write_rate


@pytest.mark.parametrize(
    ("text", "per_hour"),
    [
        ("1 per week", 1 / 168),
        ("0.1/h", 0.1),
        ("2 a day", 2 / 24),
        (" 3 / hour ", 3.0),
        (".5 an hour", 0.5),
        ("1 PER WEEK", 1 / 168),
    ],
)
def test_a_wish_is_read_as_a_rate_per_hour(text, per_hour):
    assert parse_wish(text) == pytest.approx(per_hour)


@pytest.mark.parametrize(
    "text", ["", "few", "1", "0 per week", "1 per fortnight", "-1/h", "1.2.3/h"]
)
def test_what_is_no_wish_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match="'1 per week'"):
        parse_wish(text)


@pytest.mark.parametrize(
    ("per_hour", "text"),
    [(12, "12 an hour"), (0.1, "2.4 a day"), (1 / 168, "1 a week"), (1 / 8766, "1 a year")],
)
def test_a_rate_is_written_in_the_unit_that_suits_it(per_hour, text):
    assert write_rate(per_hour) == text
