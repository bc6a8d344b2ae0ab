import pytest
import torch
from rigs.packs import make_recipe, two_sounds

from ast_edge.errors import BundleError, ConfigError
from ast_training.calibration import HIGHEST, LOWEST, calibrate
from ast_training.checkpoint import Checkpoint, load_checkpoint
from ast_training.model import AudioSpectrogramTransformer


@pytest.fixture
def recipe(tmp_path):
    return make_recipe(two_sounds(tmp_path / "sounds"))


@pytest.fixture
def path(tmp_path, recipe):
    """A checkpoint of the recipe, not trained."""
    weights = AudioSpectrogramTransformer(recipe.model_spec).state_dict()
    checkpoint = Checkpoint(
        recipe.model_spec, recipe.fbank_spec, recipe.label_set, dict(weights), epoch=5
    )
    checkpoint.save(tmp_path / "best.safetensors")
    return tmp_path / "best.safetensors"


def test_every_label_has_a_threshold_within_the_limits(path, recipe):
    thresholds = calibrate(path, recipe)
    assert list(thresholds) == ["Whistle", "Hum"]
    assert all(LOWEST <= threshold <= HIGHEST for threshold in thresholds.values())


def test_thresholds_and_metrics_are_stored_beside_the_weights(path, recipe):
    before = load_checkpoint(path)
    thresholds = calibrate(path, recipe)
    after = load_checkpoint(path)
    assert after.metrics["thresholds"] == thresholds
    assert after.metrics["recordings"] == 5
    assert "0.05% of the held-out windows" in after.metrics["calibration"]
    assert after.epoch == 5
    assert all(torch.equal(after.weights[key], before.weights[key]) for key in before.weights)


def test_a_recipe_with_other_labels_is_refused(path, tmp_path):
    other = make_recipe(two_sounds(tmp_path / "other"), labels={"Hum": "", "Whistle": ""})
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="does not have the labels of the recipe 'small'"):
        calibrate(path, other)
    assert path.read_bytes() == before


def test_what_is_no_checkpoint_is_refused(tmp_path, recipe):
    with pytest.raises(BundleError, match="not a readable checkpoint"):
        calibrate(tmp_path / "none.safetensors", recipe)
