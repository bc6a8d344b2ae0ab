"""Events in the formats of other programs."""

import csv
import io

from ast_edge.web.exports import export

EVENT = {
    "onset": "2026-03-01T06:30:00.250Z",
    "offset": "x",
    "duration": 1.5,
    "label": "Dog",
    "source": "hall",
}
EVENT |= {"peak": 0.9, "id": "a" * 32}
LATER = EVENT | {"onset": "2026-03-01T06:30:10.750Z", "label": "Cat"}


def test_csv_has_a_row_for_each_event():
    rows = list(csv.DictReader(io.StringIO(export([EVENT, LATER], "csv"))))
    assert [(row["label"], row["onset"]) for row in rows][1] == ("Cat", LATER["onset"])


def test_audacity_counts_from_the_first_event():
    assert export([EVENT, LATER], "audacity").splitlines()[1] == "10.500000\t12.000000\tCat"


def test_raven_has_a_table_with_its_columns():
    head, first, _ = export([EVENT, LATER], "raven").splitlines()
    row = dict(zip(head.split("\t"), first.split("\t"), strict=True))
    assert (row["Selection"], row["Begin Time (s)"], row["Annotation"]) == ("1", "0.000000", "Dog")


def test_nothing_is_an_empty_table():
    assert export([], "audacity") == ""
    assert len(export([], "raven").splitlines()) == 1


def test_a_label_is_no_formula_of_a_spreadsheet():
    (row,) = csv.DictReader(io.StringIO(export([EVENT | {"label": "=1+1"}], "csv")))
    assert row["label"] == "'=1+1"


def test_a_label_cannot_begin_another_row():
    hostile = EVENT | {"label": "a\tb\nc"}
    assert export([hostile], "audacity").endswith("\ta b c\n")
    assert len(export([hostile], "raven").splitlines()) == 2
