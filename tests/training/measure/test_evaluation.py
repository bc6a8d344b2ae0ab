import numpy as np
import pytest
import torch
from rigs.training.clips import FRAMES, clip_recipe, tones

from ast_edge.frontend.fbank import FbankSpec
from ast_training.base.processes import Processes
from ast_training.data.clips import ClipSet
from ast_training.measure.evaluation import ClipEvaluation
from ast_training.model.network import AudioSpectrogramTransformer

ALONE = Processes(torch.device("cpu"))


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    return ClipSet.open(tones(tmp_path_factory.mktemp("evaluation"), train=5, held_out=4))


@pytest.fixture(scope="module")
def recipe(clips):
    return clip_recipe(clips.folder, augment={"mixup": 1.0, "time_mask": 20}, loss="ce")


@pytest.fixture(scope="module")
def model(recipe):
    torch.manual_seed(0)
    return AudioSpectrogramTransformer(recipe.model_spec).eval()


def predictions(clips, recipe, model, processes=ALONE):
    return ClipEvaluation(clips, np.arange(5, 9), recipe).predict(model, processes)


def test_every_clip_is_scored_in_its_place_without_augmentation(clips, recipe, model):
    found = predictions(clips, recipe, model)
    for row, index in enumerate(range(5, 9)):
        features = clips.fbank(index, FbankSpec())[:FRAMES]
        with torch.no_grad():
            golden = model(torch.from_numpy(features)[None])[0].numpy()
        np.testing.assert_allclose(found.logits[row], golden, atol=1e-5)
        np.testing.assert_array_equal(found.targets[row], clips.target(index))
        assert found.clips[row] == clips[index].name


def test_predictions_say_what_they_are_of(clips, recipe, model):
    found = predictions(clips, recipe, model)
    assert found.labels == ("Whistle", "Hum")
    assert found.activation == "softmax"


def test_scores_do_not_depend_on_the_batch_or_on_who_prepares_it(clips, recipe, model):
    whole = predictions(clips, recipe, model).logits
    other = clip_recipe(clips.folder, optimizer={"batch": 1}, loop={"workers": 1})
    np.testing.assert_allclose(predictions(clips, other, model).logits, whole, atol=1e-5)


def test_a_short_clip_is_padded_with_zero_as_in_training(tmp_path):
    clips = ClipSet.open(tones(tmp_path, train=1, held_out=0, seconds=0.1))
    evaluation = ClipEvaluation(clips, np.arange(1), clip_recipe(clips.folder))
    features = evaluation.example(0, 0).features
    assert features.shape == (FRAMES, 128)
    assert features[:8].all()
    assert not features[8:].any()


def test_the_fbank_of_a_clip_is_whole(clips, recipe):
    assert ClipEvaluation(clips, np.arange(5, 9), recipe).fbank(2).shape == (48, 128)
