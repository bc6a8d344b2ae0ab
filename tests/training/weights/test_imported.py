from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from rigs.training.foreign import SMALL, hugging_face, official, random_model

from ast_edge.base.errors import BundleError
from ast_edge.base.files import file_sha256
from ast_edge.frontend.fbank import FbankSpec
from ast_edge.model.label import Label
from ast_edge.model.spec import ModelSpec
from ast_training.data.labels import label_table
from ast_training.model.checkpoint import load_checkpoint
from ast_training.weights.foreign import ForeignModel, read_foreign
from ast_training.weights.imported import first_logits, import_ast

CLIPS = sorted((Path(__file__).parents[2] / "edge" / "data").glob("*.flac"))


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A checkpoint as the authors' training saves it."""
    path = tmp_path_factory.mktemp("official") / "a.pth"
    torch.save(official(random_model()), path)
    return path


@pytest.fixture(scope="module")
def foreign(file):
    return read_foreign(file)


def imported(foreign, **given):
    return import_ast(foreign, origin="test", **{"frames": 64} | given)


def test_a_checkpoint_of_it_builds_and_has_its_weights(foreign, tmp_path):
    imported(foreign).save(tmp_path / "ours.safetensors")
    checkpoint = load_checkpoint(tmp_path / "ours.safetensors")
    expected = random_model().state_dict()
    assert all(torch.equal(v, expected[k]) for k, v in checkpoint.build().state_dict().items())
    assert (checkpoint.model, checkpoint.fbank) == (SMALL, FbankSpec())
    assert (checkpoint.recipe, checkpoint.metrics, checkpoint.epoch) == ({}, {}, 0)


def test_provenance_says_where_the_weights_come_from(foreign, file):
    assert imported(foreign, licence="BSD-3-Clause").provenance == {
        "imported from": "test",
        "file": "a.pth",
        "sha256": file_sha256(file),
        "licence": "BSD-3-Clause",
    }


def test_the_licence_is_not_guessed(foreign):
    assert imported(foreign).provenance["licence"] == "as the source states"


# Labels


def test_as_many_outputs_as_a_published_data_set_has_labels_get_its_names(foreign):
    assert imported(foreign).labels == label_table("audioset")


def with_config(foreign, config, preprocessor=None):
    return ForeignModel(foreign.file, foreign.weights, config, preprocessor or {})


def test_names_of_audioset_get_its_ids_in_any_order(foreign):
    names = [label.name for label in reversed(label_table("audioset"))]
    labels = imported(
        with_config(foreign, {"id2label": {str(i): n for i, n in enumerate(names)}})
    ).labels
    assert labels[526] == Label(526, "Speech", "/m/09x0r")
    assert all(label.mid for label in labels)


def test_one_name_that_is_not_audiosets_leaves_all_without_an_id(foreign):
    names = [label.name for label in label_table("audioset")]
    names[0] = "Kettle"
    labels = imported(
        with_config(foreign, {"id2label": {str(i): n for i, n in enumerate(names)}})
    ).labels
    assert [label.name for label in labels] == names
    assert {label.mid for label in labels} == {""}


def test_labels_that_are_given_come_first(foreign):
    given = tuple(Label(i, f"sound {i}", "") for i in range(527))
    assert imported(foreign, labels=given).labels == given


def test_labels_of_another_number_are_refused(foreign):
    with pytest.raises(BundleError, match="expected 527 labels, got 50"):
        imported(foreign, labels=label_table("esc50"))


@pytest.mark.parametrize("names", [{"1": "a"}, ["a"], "a", {"a": 0}])
def test_names_that_are_not_numbered_are_refused(foreign, names):
    with pytest.raises(BundleError, match="id2label does not number the labels from 0"):
        imported(with_config(foreign, {"id2label": names}))


def test_names_that_could_not_become_topics_are_refused(foreign):
    names = {str(index): f"sound {index}" for index in range(527)} | {"3": "🐶"}
    with pytest.raises(BundleError, match="no topic name can be made of the label '🐶'"):
        imported(with_config(foreign, {"id2label": names}))


def test_labels_that_nothing_names_must_be_stated():
    model = random_model(labels=7)
    nameless = ForeignModel(Path(__file__), model.state_dict(), {}, {})
    with pytest.raises(BundleError, match="does not name its 7 labels; state --labels"):
        imported(nameless)


@pytest.mark.parametrize("rate", [-1, 1_000_000])
def test_a_front_end_that_is_none_is_refused(foreign, rate):
    with pytest.raises(BundleError, match=r"sampling_rate|front end"):
        imported(with_config(foreign, {}, {"sampling_rate": rate}))


# What it says


def test_a_short_recording_is_padded_and_a_long_one_cut(foreign, tmp_path):
    rng = np.random.default_rng(0)
    noise = rng.uniform(-0.1, 0.1, 32_000).astype(np.float32)
    soundfile.write(tmp_path / "long.wav", noise, 16_000, subtype="FLOAT")
    soundfile.write(tmp_path / "head.wav", noise[: 400 + 63 * 160], 16_000, subtype="FLOAT")
    soundfile.write(tmp_path / "short.wav", noise[:8000], 16_000, subtype="FLOAT")
    checkpoint = imported(foreign)
    long, head, short = (
        first_logits(checkpoint, tmp_path / f"{n}.wav") for n in ("long", "head", "short")
    )
    assert long == head
    assert long != short
    assert len(short) == 3


def assert_same_logits(checkpoint, theirs):
    from transformers import ASTFeatureExtractor

    spec = checkpoint.model
    extract = ASTFeatureExtractor(max_length=spec.frames, mean=spec.mean, std=spec.std)
    for path in CLIPS:
        samples, rate = soundfile.read(path, dtype="float32")
        inputs = extract(samples, sampling_rate=rate, return_tensors="pt").input_values
        with torch.inference_mode():
            expected = theirs(inputs).logits[0]
        found = torch.tensor(first_logits(checkpoint, path, count=spec.labels))
        assert expected.std() > 0.05
        assert (found - expected).abs().max() <= 1e-5


def test_logits_for_real_recordings_are_those_of_transformers(tmp_path):
    pytest.importorskip("transformers")
    model = random_model()
    theirs = hugging_face(model)
    theirs.save_pretrained(tmp_path)
    theirs.classifier.layernorm.eps = 1e-5  # transformers has one value for all
    assert_same_logits(imported(read_foreign(tmp_path), labels=label_table("audioset")), theirs)


@pytest.mark.slow
def test_logits_of_a_base_model_are_those_of_transformers():
    pytest.importorskip("transformers")
    torch.manual_seed(0)
    model = random_model(ModelSpec(labels=527))
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1 and not name.endswith(("token", "pos_embed")):
            torch.nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5)
    theirs = hugging_face(model)
    theirs.classifier.layernorm.eps = 1e-5
    checkpoint = import_ast(ForeignModel(Path(__file__), model.state_dict(), {}, {}), origin="test")
    assert_same_logits(checkpoint, theirs)
