import json
from dataclasses import replace

import pytest
import torch
from rigs.training.foreign import random_model

from ast_edge.base.errors import BundleError
from ast_edge.frontend.fbank import FbankSpec
from ast_edge.model.label import Label
from ast_edge.model.spec import SIZES, ModelSpec
from ast_training.base.errors import TrainingError
from ast_training.model.checkpoint import Checkpoint
from ast_training.weights import hf_folder
from ast_training.weights.foreign import read_foreign
from ast_training.weights.hf_folder import write_hf_folder
from ast_training.weights.imported import import_ast

SPEC = ModelSpec(
    labels=3,
    frames=70,
    width=64,
    depth=2,
    heads=4,
    stride=(16, 12),
    mean=-7.0,
    std=5.0,
    activation="softmax",
)


def checkpoint(spec=SPEC, **changes):
    labels = tuple(Label(i, f"sound {i}", "") for i in range(spec.labels))
    return Checkpoint(spec, FbankSpec(), labels, dict(random_model(spec).state_dict()), **changes)


def test_what_was_exported_comes_back_as_it_was(tmp_path):
    ours = checkpoint()
    write_hf_folder(ours, tmp_path / "out")
    back = import_ast(read_foreign(tmp_path / "out"), origin="test")
    assert (back.model, back.fbank, back.labels) == (ours.model, ours.fbank, ours.labels)
    assert all(torch.equal(back.weights[name], value) for name, value in ours.weights.items())


@pytest.mark.parametrize(
    "spec",
    [
        SPEC,
        ModelSpec(35, 128, 128, *SIZES["tiny"]),
        ModelSpec(50, 98, 128, *SIZES["small"], stride=(12, 14)),
        ModelSpec(2, 64, 64, 64, 1, 1, patch=(8, 8), stride=(8, 8)),
    ],
    ids=["heads", "tiny", "small", "patch"],
)
def test_transformers_loads_the_folder_and_says_the_same(spec, tmp_path):
    transformers = pytest.importorskip("transformers")
    ours = checkpoint(spec)
    write_hf_folder(ours, tmp_path / "out")
    theirs, report = transformers.ASTForAudioClassification.from_pretrained(
        tmp_path / "out", local_files_only=True, output_loading_info=True
    )
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    assert theirs.config.id2label == {label.index: label.name for label in ours.labels}
    theirs.eval().classifier.layernorm.eps = 1e-5  # transformers has one value for all
    features = torch.randn(2, spec.frames, spec.mel_bins) * 5 - 7
    with torch.inference_mode():
        expected = theirs((features - spec.mean) / (2 * spec.std)).logits
        assert (ours.build()(features) - expected).abs().max() <= 1e-5


def test_its_feature_extractor_normalises_as_our_model_does(tmp_path):
    transformers = pytest.importorskip("transformers")
    write_hf_folder(checkpoint(), tmp_path / "out")
    extract = transformers.ASTFeatureExtractor.from_pretrained(
        tmp_path / "out", local_files_only=True
    )
    silence = extract([[0.0] * 4000], sampling_rate=16_000, return_tensors="pt").input_values
    assert silence.shape == (1, 70, 128)
    assert silence[0, 0, 0] == pytest.approx((-15.942385 + 7) / 10)
    assert silence[0, -1, 0] == pytest.approx(7 / 10)  # padded


# What is refused


def refusal(ours, out, kind=BundleError):
    with pytest.raises(kind) as caught:
        write_hf_folder(ours, out)
    return str(caught.value)


def test_patches_that_are_not_square_are_refused(tmp_path):
    message = refusal(checkpoint(replace(SPEC, patch=(32, 8))), tmp_path / "out")
    assert "square patches only, the model's are 32 by 8" in message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("front_end", [FbankSpec(window="hamming"), FbankSpec(low_hz=50.0)])
def test_another_front_end_is_refused(front_end, tmp_path):
    message = refusal(replace(checkpoint(), fbank=front_end), tmp_path / "out")
    assert "transformers knows only the front end" in message


def test_weights_of_another_model_are_refused(tmp_path):
    ours = checkpoint()
    del ours.weights["v.cls_token"]
    assert "v.cls_token" in refusal(ours, tmp_path / "out")


@pytest.mark.parametrize("name", ["a_file", "a_folder"])
def test_what_is_there_is_not_replaced(name, tmp_path):
    (tmp_path / "a_file").write_text("precious")
    (tmp_path / "a_folder").mkdir()
    (tmp_path / "a_folder" / "thesis.txt").write_text("precious")
    assert "expected a new or an empty folder" in refusal(
        checkpoint(), tmp_path / name, TrainingError
    )


def test_failing_while_writing_leaves_nothing(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(hf_folder, "save_file", full)
    assert "No space left on device" in refusal(checkpoint(), tmp_path / "out", TrainingError)
    assert list(tmp_path.iterdir()) == []


def test_the_configuration_is_plain_json(tmp_path):
    write_hf_folder(checkpoint(), tmp_path / "out")
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert (config["model_type"], config["layer_norm_eps"]) == (
        "audio-spectrogram-transformer",
        1e-6,
    )
