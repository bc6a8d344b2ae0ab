import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import save_file

from ast_edge.base.errors import BundleError, ConfigError
from ast_training.base.errors import TrainingError
from ast_training.measure.metrics import measure
from ast_training.measure.predictions import Predictions, ensemble, load_predictions


def drawn(seed=0, activation="sigmoid", scale=3.0):
    """Predictions of one set of clips, different with each seed."""
    targets = np.eye(3, dtype=np.float32)[np.random.default_rng(99).integers(0, 3, 40)]
    logits = np.random.default_rng(seed).normal(size=(40, 3)).astype(np.float32) * scale
    clips = tuple(f"{i}.wav" for i in range(40))
    return Predictions(("Dog", "Cat", "Smoke alarm"), clips, targets, logits, activation)


def sigmoid(logits):
    return 1 / (1 + np.exp(-logits.astype(float)))


def softmax(logits):
    powers = np.exp(logits.astype(float))
    return powers / powers.sum(axis=1, keepdims=True)


ACTIVATIONS = {"sigmoid": sigmoid, "softmax": softmax}


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_probabilities_are_those_of_the_activation(activation):
    set_ = drawn(activation=activation)
    expected = ACTIVATIONS[activation](set_.logits)
    np.testing.assert_allclose(set_.probabilities(), expected, rtol=1e-6)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_extreme_logits_have_probabilities_of_0_and_1(activation):
    set_ = replace(drawn(activation=activation), logits=np.full((40, 3), -1e4, np.float32))
    set_.logits[:, 0] = 1e4
    assert set_.probabilities()[0].tolist() == [1, 0, 0]


def test_scores_of_confident_softmax_outputs_do_not_tie():
    set_ = drawn(activation="softmax")
    set_.logits[:2] = [[30, 0, 0], [31, 0, 0]]
    assert set_.probabilities()[0, 0] == set_.probabilities()[1, 0] == 1
    assert set_.scores()[0, 0] < set_.scores()[1, 0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"clips": ("a.wav",)}, "of 1 clips"),
        ({"labels": ("Dog", "Cat", "Dog")}, "same name"),
        ({"activation": "relu"}, "relu"),
        ({"targets": np.full((40, 3), 0.5, np.float32)}, "0 or 1"),
    ],
)
def test_refuses_what_does_not_fit_together(changes, message):
    with pytest.raises(ValueError, match=message):
        replace(drawn(), **changes)


def test_what_is_not_known_is_kept_in_the_file_and_in_an_ensemble(tmp_path):
    unknown = np.zeros((40, 3), bool)
    unknown[3, 1] = True
    found = replace(drawn(), unknown=unknown)
    found.save(tmp_path / "one.predictions")
    for again in (load_predictions(tmp_path / "one.predictions"), ensemble([found, drawn(1)])):
        np.testing.assert_array_equal(again.unknown, unknown)
    assert load_predictions(saved_plain(tmp_path)).unknown is None


def saved_plain(tmp_path):
    path = tmp_path / "plain.predictions"
    drawn().save(path)
    return path


def test_refuses_logits_that_are_not_finite():
    logits = drawn().logits
    logits[7, 1] = np.nan
    with pytest.raises(BundleError, match=r"1 of 40 clips \(7\.wav is the first\)"):
        replace(drawn(), logits=logits)


# Files


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "predictions.safetensors"
    drawn(activation="softmax").save(path)
    return path


def test_comes_back_as_it_was_saved(path):
    saved, loaded = drawn(activation="softmax"), load_predictions(path)
    for name in ("labels", "clips", "activation"):
        assert getattr(loaded, name) == getattr(saved, name)
    np.testing.assert_array_equal(loaded.logits, saved.logits)
    np.testing.assert_array_equal(loaded.targets, saved.targets)


def test_transposed_arrays_come_back_in_order(tmp_path):
    set_ = drawn()
    replace(set_, logits=np.asfortranarray(set_.logits)).save(tmp_path / "p.safetensors")
    found = load_predictions(tmp_path / "p.safetensors").logits
    np.testing.assert_array_equal(found, set_.logits)


def test_predictions_that_cannot_be_written_say_so(tmp_path):
    with pytest.raises(TrainingError, match="cannot be written: Is a directory"):
        drawn().save(tmp_path)


def test_refuses_a_file_that_is_not_there(tmp_path):
    with pytest.raises(BundleError, match="not a readable file"):
        load_predictions(tmp_path / "none.safetensors")


def test_refuses_a_truncated_file(path):
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(BundleError, match="not a readable file"):
        load_predictions(path)


HEADER = {"format": 1, "labels": ["Dog"], "clips": ["a.wav"], "activation": "sigmoid"}


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (None, "no ast-edge predictions"),
        ({**HEADER, "format": 2}, "no ast-edge predictions"),
        ({"format": 1, "labels": ["Dog"]}, "lack 'clips'"),
        ({**HEADER, "clips": []}, "malformed"),
        ({**HEADER, "labels": 3}, "malformed"),
    ],
)
def test_refuses_safetensors_without_predictions(tmp_path, header, message):
    array = np.zeros((1, 1), np.float32)
    metadata = {"ast_edge_predictions": json.dumps(header)} if header else None
    path = tmp_path / "other.safetensors"
    save_file({"targets": array, "logits": array}, path, metadata=metadata)
    with pytest.raises(BundleError, match=message):
        load_predictions(path)


# Ensembles


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_an_ensemble_has_the_mean_of_its_members_probabilities(activation):
    members = [drawn(seed, activation) for seed in range(3)]
    expected = np.mean([ACTIVATIONS[activation](m.logits) for m in members], axis=0)
    np.testing.assert_allclose(ensemble(members).probabilities(), expected, rtol=1e-5)


def test_an_ensemble_is_not_the_mean_of_the_logits():
    members = [drawn(0), drawn(1)]
    mean = (members[0].logits + members[1].logits) / 2
    assert np.abs(ensemble(members).probabilities() - sigmoid(mean)).max() > 0.1


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_an_ensemble_ranks_clips_as_their_mean_probabilities(activation):
    members = [drawn(seed, activation) for seed in range(3)]
    mean = np.mean([ACTIVATIONS[activation](m.logits) for m in members], axis=0)
    found = ensemble(members).scores().argsort(axis=0)
    np.testing.assert_array_equal(found, mean.argsort(axis=0))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_an_ensemble_of_a_model_with_itself_is_that_model(activation):
    set_ = drawn(activation=activation, scale=30)
    both = ensemble([set_, set_])
    np.testing.assert_allclose(both.scores(), set_.scores(), rtol=1e-6, atol=1e-12)
    assert measure(both).as_dict() == measure(set_).as_dict()


def test_without_members_there_is_no_ensemble():
    with pytest.raises(ConfigError, match="got none"):
        ensemble([])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": ("Dog", "Bird", "Smoke alarm")}, "labels .* got 'Bird' where that has 'Cat'"),
        ({"clips": tuple(f"{i}.ogg" for i in range(40))}, r"got '0\.ogg' where that has '0\.wav'"),
        ({"activation": "softmax"}, "sigmoid .* got softmax"),
        ({"targets": np.zeros((40, 3), np.float32)}, r"'0\.wav' has other targets"),
    ],
)
def test_members_of_another_set_are_refused(changes, message):
    with pytest.raises(ConfigError, match=f"member 2: .*{message}"):
        ensemble([drawn(0), replace(drawn(1), **changes)])


def test_members_of_fewer_clips_are_refused():
    whole = drawn()
    part = Predictions(
        whole.labels, whole.clips[:9], whole.targets[:9], whole.logits[:9], whole.activation
    )
    with pytest.raises(ConfigError, match=r"member 2: expected the 40 clips .* got 9"):
        ensemble([whole, part])
