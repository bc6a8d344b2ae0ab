import numpy as np
from sklearn.metrics import confusion_matrix as reference

from ast_training.measure.predictions import Predictions
from ast_training.report.findings import Confusion, confusion_matrix, frequent_confusions, surest

LABELS = ("Dog", "Cat", "Bird")


def predictions(targets, logits):
    targets, logits = np.array(targets, np.float32), np.array(logits, np.float32)
    return Predictions(
        LABELS, tuple(f"{i}.wav" for i in range(len(targets))), targets, logits, "sigmoid"
    )


def drawn():
    rng = np.random.default_rng(0)
    targets = np.eye(3)[rng.integers(0, 3, 300)]
    return predictions(targets, rng.normal(size=(300, 3)) + targets)


def test_matrix_of_single_labels_is_that_of_scikit_learn():
    set_ = drawn()
    expected = reference(set_.targets.argmax(axis=1), set_.logits.argmax(axis=1))
    np.testing.assert_array_equal(confusion_matrix(set_), expected)


def test_a_clip_with_several_labels_is_right_once_or_wrong_for_each():
    set_ = predictions([[1, 1, 0], [1, 1, 0]], [[3, 1, 2], [1, 2, 3]])
    assert confusion_matrix(set_).tolist() == [[1, 0, 1], [0, 0, 1], [0, 0, 0]]


def test_a_clip_without_a_label_is_in_no_row():
    assert confusion_matrix(predictions([[0, 0, 0]], [[3, 1, 2]])).sum() == 0


def test_the_most_frequent_confusion_comes_first():
    set_ = predictions(np.eye(3)[[0, 0, 0, 1, 2]], np.eye(3)[[1, 1, 0, 0, 2]])
    assert frequent_confusions(set_, 10) == [
        Confusion("Dog", "Cat", clips=2, positives=3),
        Confusion("Cat", "Dog", clips=1, positives=1),
    ]


def test_no_more_confusions_are_listed_than_asked_for():
    assert len(frequent_confusions(drawn(), 4)) == 4


def test_the_surest_mistakes_come_first():
    set_ = predictions(np.eye(3)[[0, 0, 0]], [[1, 4, 0], [5, 1, 0], [1, 0, 6]])
    assert [example.clip for example in surest(set_, right=False, count=5)] == ["2.wav", "0.wav"]
    assert [example.clip for example in surest(set_, right=True, count=5)] == ["1.wav"]


def test_of_clips_with_one_first_guess_only_the_surest_is_listed():
    set_ = predictions(np.eye(3)[[0, 0, 1]], [[3, 0, 0], [4, 0, 0], [0, 2, 0]])
    assert [example.index for example in surest(set_, right=True, count=5)] == [1, 2]


def test_an_example_has_its_labels_and_guesses_with_probabilities():
    (example,) = surest(predictions([[1, 0, 1]], [[0, -2, 2]]), right=True, count=1)
    assert example.truth == ("Dog", "Bird")
    assert [label for label, _ in example.guesses] == ["Bird", "Dog", "Cat"]
    np.testing.assert_allclose([p for _, p in example.guesses], [0.880797, 0.5, 0.119203], 1e-5)
