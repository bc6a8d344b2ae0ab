"""How many reported events were right, and how little a few of them tell."""

import pytest
from rigs.reviews import said, write_reviews

from ast_edge.evaluation.precision import binomial_interval, precisions
from ast_edge.outputs.reviews import read_reviews


@pytest.mark.parametrize(
    ("found", "count", "interval"),
    [
        # R: binom.test(found, count)$conf.int
        (3, 3, (0.2924018, 1.0)),
        (0, 10, (0.0, 0.3084971)),
        (7, 10, (0.3475471, 0.9332605)),
        (900, 1000, (0.8797091, 0.9178947)),
        (0, 1, (0.0, 0.975)),
    ],
)
def test_the_interval_is_exact(found, count, interval):
    assert binomial_interval(found, count) == pytest.approx(interval, abs=2e-4)


def test_an_event_that_was_another_is_wrong_and_tells_what_it_was(tmp_path):
    lines = [
        said(1),
        said(2, "other", true="Hum"),
        said(3, "other", true="Hiss"),
        said(4, "wrong", onset="2026-11-29T01:00:00.000Z"),
        said(5, label="Hiss", slug="hiss"),
    ]
    hiss, hum = precisions(read_reviews(write_reviews(tmp_path / "r", *lines)).reviews)
    assert (hiss.label, hiss.right, hiss.wrong) == ("Hiss", 1, 0)
    assert (hum.right, hum.wrong, hum.days, hum.was) == (2, 2, 2, [("Hiss", 1)])
