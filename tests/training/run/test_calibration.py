from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from rigs.training.packs import backgrounds, make_recipe, two_sounds

from ast_edge.base.errors import BundleError, ConfigError
from ast_training.data.recordings import read_recordings
from ast_training.measure.evidence import evidence_of
from ast_training.model.checkpoint import Checkpoint, load_checkpoint
from ast_training.model.network import AudioSpectrogramTransformer
from ast_training.run.calibration import calibrate, calibration_of, folded

WINDOWS = 16


def untrained(recipe):
    weights = AudioSpectrogramTransformer(recipe.model_spec).state_dict()
    return Checkpoint(
        recipe.model_spec, recipe.fbank_spec, recipe.label_set, dict(weights), epoch=5
    )


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packs")
    packs = two_sounds(folder / "sounds", test_share=0.25)
    packs |= backgrounds(folder / "noise", test_share=1.0)
    return make_recipe(packs, model={"frame_head": True})


@pytest.fixture(scope="module")
def calibrated(recipe, tmp_path_factory):
    """A checkpoint of the recipe, not trained, before and after, and what was fitted."""
    path = tmp_path_factory.mktemp("run") / "best.safetensors"
    untrained(recipe).save(path)
    before = load_checkpoint(path)
    calibration = calibrate(path, recipe, WINDOWS)
    return before, load_checkpoint(path), calibration


def test_every_label_is_fitted_as_a_window_and_as_a_step(recipe, calibrated):
    labels = calibrated[2].labels
    assert list(labels) == ["Whistle", "Hum"]
    sources = evidence_of(recipe, read_recordings(recipe.pack_set), "validation").labels
    assert {name: label.sources for name, label in labels.items()} == sources
    assert all(0 < label.clip.positives < WINDOWS for label in labels.values())
    assert all(label.frame.positives > label.clip.positives for label in labels.values())


def test_the_fit_is_stored_beside_weights_that_stay_as_they_are(calibrated):
    before, after, calibration = calibrated
    assert calibration_of(after) == calibration
    assert after.epoch == 5
    assert all(torch.equal(after.weights[key], before.weights[key]) for key in before.weights)


def test_the_figures_are_of_the_recordings_for_testing_alone(recipe, calibrated):
    test = [r for r in read_recordings(recipe.pack_set) if r.split == "test" and r.role == "events"]
    metrics = calibrated[1].metrics
    assert metrics["measured_on"] == "test"
    assert metrics["recordings"] == metrics["sources"] == len(test)
    assert sum(one["sources"] for one in metrics["labels"].values()) == sum(
        len(r.targets) for r in test
    )


def test_every_figure_has_an_interval_and_few_sources_are_marked(calibrated):
    metrics = calibrated[1].metrics
    low, high = metrics["macro_ap_interval"]
    assert 0 <= low <= high <= 1
    for label in metrics["labels"].values():
        assert (label["interval"] is None) is (label["sources"] < 2)
        assert label["few_sources"]


def test_windows_in_which_nobody_said_whether_a_label_sounds_say_nothing_about_it(tmp_path):
    """Where a hum may be in every whistle, more of the windows of which it is known have one."""
    packs = two_sounds(tmp_path / "sounds", test_share=0.25)
    packs |= backgrounds(tmp_path / "noise", test_share=1.0)
    (name,) = set(packs) - {"noise"}
    recipes = [
        make_recipe(packs | {name: packs[name] | {"may": may}}, model={"frame_head": True})
        for may in ([], ["Hum"])
    ]
    torch.manual_seed(0)
    checkpoint, offsets = untrained(recipes[0]), []
    for recipe in recipes:
        checkpoint.save(tmp_path / "best.safetensors")
        fitted = calibrate(tmp_path / "best.safetensors", recipe, 4 * WINDOWS).labels
        offsets.append(fitted["Hum"].clip.platt.offset)
    never, perhaps = offsets
    assert perhaps > never + 0.1, offsets


def test_a_recipe_without_background_noise_to_test_on_is_refused(tmp_path):
    recipe = make_recipe(two_sounds(tmp_path / "sounds", test_share=0.25))
    untrained(recipe).save(tmp_path / "best.safetensors")
    with pytest.raises(ConfigError, match="holds out 0 sources of background noise for test"):
        calibrate(tmp_path / "best.safetensors", recipe)


def with_errors(checkpoint, before, after):
    """The checkpoint as if its calibration had taken the error from one to the other."""
    tree = deepcopy(checkpoint.metrics["platt"])
    for label in tree["labels"].values():
        label["clip"]["ece"] = label["frame"]["ece"] = [before, after]
    return replace(checkpoint, metrics=checkpoint.metrics | {"platt": tree})


def test_the_calibrated_model_gives_the_scaled_logits(calibrated):
    after, calibration = calibrated[1:]
    fbank = torch.randn(3, 32, 128)
    with torch.inference_mode():
        plain = after.build().forward_both(fbank)
        scaled = folded(with_errors(after, 0.2, 0.1)).build().forward_both(fbank)
    for scores, logits, result in zip(("clip", "frame"), plain, scaled, strict=True):
        for column, label in enumerate(calibration.labels.values()):
            platt = getattr(label, scores).platt
            wanted = platt.slope * logits[..., column] + platt.offset
            torch.testing.assert_close(result[..., column], wanted, rtol=1e-4, atol=1e-5)


def test_a_calibration_that_makes_it_worse_is_not_applied(calibrated):
    checkpoint = with_errors(calibrated[1], 0.1, 0.2)
    result = folded(checkpoint)
    assert result.weights is checkpoint.weights
    assert result.metrics["labels"]["Hum"]["ece"] == 0.1
    assert result.metrics["calibration"].startswith("the model's own probabilities, since")


def test_a_calibration_is_applied_once(calibrated):
    once = folded(calibrated[1])
    assert folded(once) is once


def test_the_metrics_of_a_calibrated_model_say_how_and_how_well(calibrated):
    metrics = folded(with_errors(calibrated[1], 0.2, 0.1)).metrics
    assert metrics["calibration"].endswith(
        f"on {WINDOWS} windows composed of held-out recordings, which took the mean error on "
        f"{WINDOWS} windows of others from 0.2000 to 0.1000"
    )
    assert metrics["labels"]["Hum"]["ece"] == 0.1


def test_a_checkpoint_without_a_calibration_stays_as_it_is(calibrated):
    assert folded(calibrated[0]) is calibrated[0]


def test_a_malformed_calibration_is_refused(calibrated):
    bad = replace(calibrated[0], metrics={"platt": {"fitted": "many"}})
    with pytest.raises(BundleError, match="the checkpoint's calibration is malformed"):
        folded(bad)


def test_a_recipe_that_holds_out_nothing_for_testing_is_refused(tmp_path):
    recipe = make_recipe(two_sounds(tmp_path / "sounds"))
    untrained(recipe).save(tmp_path / "best.safetensors")
    with pytest.raises(ConfigError, match="holds out no recording with a label for test"):
        calibrate(tmp_path / "best.safetensors", recipe)


def test_a_recipe_with_other_labels_is_refused(recipe, tmp_path):
    other = make_recipe(two_sounds(tmp_path / "other"), labels={"Hum": "", "Whistle": ""})
    path = tmp_path / "best.safetensors"
    untrained(recipe).save(path)
    before = path.read_bytes()
    with pytest.raises(
        ConfigError, match="does not have the model and labels of the recipe 'small'"
    ):
        calibrate(path, other)
    assert path.read_bytes() == before


def test_what_is_no_checkpoint_is_refused(tmp_path, recipe):
    with pytest.raises(BundleError, match="not a readable checkpoint"):
        calibrate(tmp_path / "none.safetensors", recipe)
