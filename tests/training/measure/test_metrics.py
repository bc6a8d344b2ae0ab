import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import accuracy_score, average_precision_score, roc_auc_score

from ast_edge.base.errors import ConfigError
from ast_training.measure.metrics import (
    average_precisions,
    d_prime,
    mean_average_precision,
    measure,
)
from ast_training.measure.predictions import Predictions


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


# All metrics of a set


def predictions(targets, logits, activation="sigmoid"):
    targets, logits = np.array(targets, np.float32), np.array(logits, np.float32)
    labels = tuple(f"label {i}" for i in range(targets.shape[1]))
    clips = tuple(f"{i}.wav" for i in range(len(targets)))
    return Predictions(labels, clips, targets, logits, activation)


def test_a_clip_of_which_nobody_said_whether_it_has_a_label_does_not_count_for_it():
    found = predictions([[1, 0], [0, 1], [0, 0]], [[1, 0], [2, 3], [0, 4]])
    assert measure(found).average_precisions.tolist() == [0.5, 0.5]
    unknown = np.array([[0, 0], [1, 0], [0, 1]], bool)
    metrics = measure(replace(found, unknown=unknown))
    assert metrics.average_precisions.tolist() == metrics.aucs.tolist() == [1.0, 1.0]
    assert metrics.clips == 3


def drawn(*, single_label, activation="sigmoid"):
    rng = np.random.default_rng(1)
    targets = np.eye(6)[rng.integers(0, 6, 200)] if single_label else rng.random((200, 6)) < 0.2
    return predictions(targets, rng.normal(size=(200, 6)) + targets, activation)


def share_of_pairs_in_order(targets, scores):
    """The area under the ROC curve by its meaning: all pairs of a positive and a negative clip."""
    pairs = [np.sign(a - b) for a in scores[targets == 1] for b in scores[targets == 0]]
    return (np.mean(pairs) + 1) / 2


def test_aucs_are_the_shares_of_the_pairs_in_order():
    set_ = drawn(single_label=False)
    expected = [
        share_of_pairs_in_order(*c) for c in zip(set_.targets.T, set_.logits.T, strict=True)
    ]
    np.testing.assert_allclose(measure(set_).aucs, expected)


def test_means_are_those_of_scikit_learn():
    set_ = drawn(single_label=False)
    metrics = measure(set_)
    assert metrics.mean_auc == pytest.approx(roc_auc_score(set_.targets, set_.logits))
    assert metrics.mean_average_precision == pytest.approx(
        average_precision_score(set_.targets, set_.logits)
    )


def test_softmax_outputs_are_ranked_by_their_probabilities():
    set_ = drawn(single_label=True, activation="softmax")
    logits = set_.logits.astype(float)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = average_precision_score(set_.targets, probabilities, average=None)
    np.testing.assert_allclose(measure(set_).average_precisions, expected)


def test_accuracy_is_that_of_scikit_learn():
    set_ = drawn(single_label=True)
    expected = accuracy_score(set_.targets.argmax(axis=1), set_.logits.argmax(axis=1))
    assert measure(set_).accuracy == expected


@pytest.mark.parametrize("other", [[1, 1], [0, 0]])
def test_clips_with_several_labels_or_none_have_no_accuracy(other):
    assert measure(predictions([[1, 0], [0, 1], other], np.zeros((3, 2)))).accuracy is None


def test_sensitivity_index_is_the_published_one():
    # AST with averaged weights on AudioSet: AUC and d' of the authors' log.
    assert d_prime(0.978562) == pytest.approx(2.86366, abs=5e-6)


@pytest.mark.parametrize(("auc", "expected"), [(0.5, 0), (1, np.inf), (0, -np.inf)])
def test_sensitivity_index_at_the_ends_and_in_the_middle(auc, expected):
    assert d_prime(auc) == expected


def test_sensitivity_index_is_that_of_the_mean_auc():
    metrics = measure(drawn(single_label=False))
    assert metrics.d_prime == pytest.approx(np.sqrt(2) * norm.ppf(metrics.aucs.mean()))
    assert metrics.d_prime != pytest.approx(np.sqrt(2) * norm.ppf(metrics.aucs).mean())


def test_confident_scores_do_not_tie():
    # Sigmoids of both are 1 in float32: as probabilities they would give an AUC of 1/2.
    assert measure(predictions([[1], [0]], [[40.0], [30.0]])).mean_auc == 1.0


def test_labels_that_no_clip_or_every_clip_has_are_left_out_of_the_means():
    targets = [[1, 0, 1], [0, 0, 1], [0, 0, 1]]
    metrics = measure(predictions(targets, np.diag([3, 2, 1])))
    assert np.isnan(metrics.average_precisions).tolist() == [False, True, True]
    assert np.isnan(metrics.aucs).tolist() == [False, True, True]
    assert (metrics.mean_average_precision, metrics.mean_auc) == (1.0, 1.0)
    assert metrics.left_out == ("label 1", "label 2")


def test_a_set_without_any_label_to_rank_is_refused():
    with pytest.raises(ConfigError, match="2 clips that have all or none"):
        measure(predictions([[1, 0], [1, 0]], np.zeros((2, 2))))


def test_what_is_not_defined_is_none_in_json():
    tree = measure(predictions([[1, 0], [0, 0]], [[2, 1], [1, 2]])).as_dict()
    assert json.loads(json.dumps(tree, allow_nan=False)) == {
        "macro_ap": 1.0,
        "auc": 1.0,
        "d_prime": None,
        "accuracy": None,
        "recordings": 2,
        "labels_left_out": 1,
        "labels": {
            "label 0": {"ap": 1.0, "auc": 1.0, "positives": 1},
            "label 1": {"ap": None, "auc": None, "positives": 0},
        },
    }
