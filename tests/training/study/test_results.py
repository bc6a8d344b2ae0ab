import numpy as np
import pytest

from ast_training.measure.metrics import measure
from ast_training.measure.predictions import Predictions
from ast_training.study.results import Result, figure, markdown, markdown_table


def test_a_table_is_aligned_markdown():
    results = [Result("10x10", 0.449469, 0.974766, 2.7662), Result("ESC-50", accuracy=0.9575)]
    assert markdown_table(results) == (
        "| model  |    mAP |    AUC |    d' | accuracy |\n"
        "|--------|-------:|-------:|------:|---------:|\n"
        "| 10x10  | 0.4495 | 0.9748 | 2.766 |        - |\n"
        "| ESC-50 |      - |      - |     - |   0.9575 |\n"
    )


def test_a_name_cannot_break_the_table():
    row = markdown_table([Result("a|b\nc")]).splitlines()[2]
    assert row.startswith("| a\\|b c |")


@pytest.mark.parametrize(
    ("value", "expected"), [(0.12345, "0.123"), (None, "-"), (np.nan, "-"), (np.inf, "inf")]
)
def test_figures_that_are_not_defined_are_a_dash(value, expected):
    assert figure(value, 3) == expected


def test_a_measured_model_has_its_headline_figures():
    targets = np.eye(2, dtype=np.float32)[[0, 0, 1, 1]]
    logits = np.array([[2, 0], [1, 0], [0, 3], [3, 1]], np.float32)
    metrics = measure(Predictions(("a", "b"), tuple("1234"), targets, logits, "sigmoid"))
    assert Result.of("mine", metrics) == Result(
        "mine", metrics.mean_average_precision, metrics.mean_auc, metrics.d_prime, 0.75
    )


def test_names_stand_on_the_left_and_figures_on_the_right():
    rows = [["model", "weights", "mAP"], ["10x10", "last", "0.45"], ["a", "averaged", ""]]
    assert markdown(rows, names=2) == (
        "| model | weights  |  mAP |\n"
        "|-------|----------|-----:|\n"
        "| 10x10 | last     | 0.45 |\n"
        "| a     | averaged |      |\n"
    )
