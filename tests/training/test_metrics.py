import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from ast_training.metrics import average_precisions, mean_average_precision


def test_agrees_with_scikit_learn():
    rng = np.random.default_rng(0)
    targets = (rng.random((200, 6)) < 0.2).astype(np.float32)
    scores = rng.normal(size=(200, 6)).astype(np.float32) + targets
    expected = average_precision_score(targets, scores, average=None)
    np.testing.assert_allclose(average_precisions(targets, scores), expected)
    assert mean_average_precision(targets, scores) == pytest.approx(expected.mean())


@pytest.mark.parametrize(
    ("targets", "scores", "expected"),
    [
        ([1, 0, 1, 0], [4, 3, 2, 1], (1 + 2 / 3) / 2),
        ([0, 0, 1, 1], [4, 3, 2, 1], (1 / 3 + 2 / 4) / 2),
        ([1, 0, 0, 0], [1, 1, 1, 1], 1 / 4),  # tied: all are taken at once
        ([1, 0, 1, 0], [2, 2, 1, 1], (1 / 2 + 2 / 4) / 2),
        ([1, 1], [-5, -7], 1),
    ],
)
def test_average_precision_by_hand(targets, scores, expected):
    found = average_precisions(np.array([targets], float).T, np.array([scores], float).T)
    assert found == pytest.approx([expected])


def test_a_label_that_does_not_occur_has_no_average_precision():
    targets = np.array([[1, 0], [0, 0]], np.float32)
    assert np.isnan(average_precisions(targets, np.zeros((2, 2)))).tolist() == [False, True]


def test_a_label_that_does_not_occur_does_not_count_in_the_mean():
    targets = np.array([[1, 0], [0, 0]], np.float32)
    assert mean_average_precision(targets, np.array([[0.9, 0.9], [0.1, 0.8]])) == 1.0
