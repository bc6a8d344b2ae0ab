"""Thresholds that are raised by what was said of events."""

from types import SimpleNamespace

import pytest
from rigs.reviews import said, write_reviews

from ast_edge.detection.groups import Group
from ast_edge.model.label import Label
from ast_edge.model.label_settings import TrackerSettings
from ast_edge.outputs.reviews import ReviewFileError, read_reviews
from ast_edge.tuning.reviewed import FEWEST, ReviewedLabel, tune_by_reviews

HUM, HISS = Label(0, "Hum", ""), Label(1, "Hiss", "")
NOISE = Group(2, "Any noise", "", members=(HUM, HISS), score="max")
NOW = TrackerSettings(on=0.3, off=0.2)
HEARING = SimpleNamespace(bundle=SimpleNamespace(name="bands"))


def label(right, wrong):
    return ReviewedLabel(HUM, NOW, right, wrong)


@pytest.mark.parametrize(
    ("right", "wrong", "on"),
    [
        ([0.6] * 8, [0.35, 0.42], 0.43),
        ([0.425] * 8, [0.35, 0.42], 0.4224),  # halfway, where there is little room
        ([0.6] * 8, [0.35, 0.7], 0.36),  # what is as sure as right ones stays
        ([0.4] * 8, [0.4, 0.5], 0.3),
        ([0.4002] * 8, [0.4, 0.5], 0.4001),
        ([], [0.4] * 9 + [0.8], 0.81),
        ([], [0.4] * 9 + [1.0], 0.41),
        ([0.6] * FEWEST, [], 0.3),
        ([0.6] * 7, [0.4] * 2, 0.3),  # too few
    ],
)
def test_on_rises_above_the_wrong_and_keeps_the_right(right, wrong, on):
    found = label(right, wrong)
    assert found.on == pytest.approx(on)
    assert all(peak - 0.00005 >= found.on for peak in right)
    assert found.wrong_after == sum(peak >= on for peak in wrong)


def tune(tmp_path, *lines, labels=(HUM, HISS, NOISE)):
    reviews = read_reviews(write_reviews(tmp_path / "r.jsonl", *lines)).reviews
    return tune_by_reviews(reviews, HEARING, dict.fromkeys(labels, NOW))


def test_what_these_thresholds_did_not_report_does_not_count(tmp_path):
    others = [
        said(41, "wrong", bundle="other"),
        said(42, "wrong", peak=0.29),
        said(43, "wrong", label="Bell", slug="bell"),
    ]
    (hum,), left_out = tune(tmp_path, *[said(i, "wrong") for i in range(FEWEST)], *others)
    assert len(hum.wrong) == FEWEST
    assert [line.split(" of ")[0] for line in left_out] == ["left out: 1 review"] * 3


def test_a_group_is_right_when_a_member_was_heard(tmp_path):
    group = {"label": "Any noise", "slug": NOISE.slug}
    lines = [said(i, "other", true="Hiss", **group) for i in range(FEWEST)]
    (noise,), _ = tune(tmp_path, *lines)
    assert (len(noise.right), len(noise.wrong)) == (FEWEST, 0)


def test_too_few_reviews_are_refused(tmp_path):
    lines = [said(i, "wrong") for i in range(FEWEST - 1)]
    with pytest.raises(ReviewFileError, match=r"expected 10 or more of a label, got Hum 9"):
        tune(tmp_path, *lines, said(50, "wrong", label="Hiss", slug="hiss", bundle="other"))
