import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rigs.training.foreign import SMALL, deit

from ast_edge.base.errors import BundleError
from ast_edge.model.spec import SIZES, ModelSpec
from ast_training.model.network import AudioSpectrogramTransformer
from ast_training.weights.foreign import ForeignModel
from ast_training.weights.foreign_spec import foreign_spec
from ast_training.weights.layouts import to_ours


def foreign(spec=SMALL, config=None, preprocessor=None):
    """A model without values: nothing here looks at them."""
    with torch.device("meta"):
        weights = AudioSpectrogramTransformer(spec).state_dict()
    return ForeignModel(Path("folder/a.pth"), weights, config or {}, preprocessor or {})


@pytest.mark.parametrize(
    ("frames", "stride", "patches"),
    [
        (1024, 10, 1212),
        (1024, 12, 850),
        (1024, 14, 657),
        (1024, 16, 512),
        (512, 10, 600),
        (128, 10, 144),
    ],
)
def test_window_and_stride_of_published_models_follow_from_the_number_of_patches(
    frames, stride, patches
):
    spec = replace(SMALL, frames=frames, stride=(stride, stride))
    assert spec.tokens == patches + 2
    found = foreign_spec(foreign(spec))
    assert (found.frames, found.stride) == (frames, (stride, stride))


@pytest.mark.parametrize("size", SIZES)
def test_size_follows_from_the_shapes(size):
    width, depth, heads = SIZES[size]
    spec = ModelSpec(labels=527, width=width, depth=depth, heads=heads)
    assert foreign_spec(foreign(spec)) == spec


def test_patch_and_depth_follow_from_the_shapes():
    spec = replace(SMALL, patch=(32, 8), stride=(32, 8), depth=5, frames=96)
    config = {"max_length": 96, "frequency_stride": 32, "time_stride": 8}
    assert foreign_spec(foreign(spec, config)) == spec


def test_the_configuration_says_window_stride_mel_bins_and_heads():
    spec = ModelSpec(
        labels=3,
        frames=96,
        mel_bins=64,
        width=64,
        depth=1,
        heads=4,
        stride=(16, 8),
        mean=-7.0,
        std=5.0,
    )
    config = {
        "max_length": 96,
        "num_mel_bins": 64,
        "frequency_stride": 16,
        "time_stride": 8,
        "num_attention_heads": 4,
    }
    assert foreign_spec(foreign(spec, config, {"mean": -7.0, "std": 5})) == spec


def test_what_is_given_overrules_the_configuration():
    spec = replace(SMALL, frames=98, stride=(12, 12))
    config = {"max_length": 1024, "frequency_stride": 10, "time_stride": 10}
    found = foreign_spec(foreign(spec, config), frames=98, stride=12, activation="softmax")
    assert (found.frames, found.stride, found.activation) == (98, (12, 12), "softmax")


def test_a_window_that_is_not_published_must_be_stated():
    with pytest.raises(
        BundleError, match=r"60 patches fit none of .*; state --frames and --stride"
    ):
        foreign_spec(foreign())
    assert foreign_spec(foreign(), frames=64) == SMALL


def test_a_configuration_that_contradicts_the_weights_is_refused():
    config = {"max_length": 64, "frequency_stride": 16, "time_stride": 16}
    with pytest.raises(
        BundleError, match="60 patches fit none of the windows 64 with the strides 16 by 16"
    ):
        foreign_spec(foreign(config=config))


# Statistics and activation


@pytest.mark.parametrize(
    ("labels", "mean", "std", "activation"),
    [
        (527, -4.2677393, 4.5689974, "sigmoid"),
        (50, -6.6268077, 5.358466, "softmax"),
        (35, -6.845978, 5.5654526, "sigmoid"),
        (7, -4.2677393, 4.5689974, "sigmoid"),
    ],
)
def test_statistics_and_activation_are_those_of_the_data_set_with_so_many_labels(
    labels, mean, std, activation
):
    found = foreign_spec(foreign(replace(SMALL, labels=labels)), frames=64)
    assert (found.mean, found.std, found.activation) == (mean, std, activation)


def test_a_feature_extractor_that_does_not_normalise_leaves_the_input_as_it_is():
    found = foreign_spec(foreign(preprocessor={"do_normalize": False, "mean": 3.0}), frames=64)
    assert (found.mean, 2 * found.std) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("problem", "activation"),
    [("single_label_classification", "softmax"), ("multi_label_classification", "sigmoid")],
)
def test_hugging_face_says_what_kind_of_problem_it_is(problem, activation):
    found = foreign_spec(foreign(config={"problem_type": problem}), frames=64)
    assert found.activation == activation


# What is no AST


def refusal(model):
    with pytest.raises(BundleError) as caught:
        foreign_spec(model, frames=64)
    return str(caught.value)


def test_a_deit_is_no_ast():
    model = ForeignModel(Path("deit.pth"), to_ours(deit()), {}, {})
    assert "expected an AST, got a DeiT" in refusal(model)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("v.blocks.1.mlp.fc1.weight", (255, 64)),
        ("v.cls_token", (1, 64)),
        ("mlp_head.1.weight", (526, 64)),
        ("v.blocks.0.attn.qkv.bias", (64,)),
    ],
)
def test_a_weight_of_a_wrong_shape_is_named(name, shape):
    model = foreign()
    model.weights[name] = torch.zeros(shape)
    assert f"{name}: expected the shape" in refusal(model)


@pytest.mark.parametrize("name", ["v.patch_embed.proj.weight", "v.pos_embed", "mlp_head.1.bias"])
def test_weights_without_the_dimensions_of_an_ast_are_refused(name):
    model = foreign()
    model.weights[name] = torch.zeros(2, 2)
    assert "not those of an AST" in refusal(model)


@pytest.mark.parametrize(
    ("config", "preprocessor"),
    [
        ({"hidden_act": "relu"}, {}),
        ({"num_attention_heads": 5}, {}),
        ({"num_attention_heads": "1"}, {}),
        ({"num_mel_bins": -1}, {}),
        ({}, {"mean": "low"}),
        ({}, {"std": 0}),
        ({}, {"std": math.nan}),
    ],
)
def test_a_configuration_that_we_cannot_follow_is_refused(config, preprocessor):
    assert refusal(foreign(config=config, preprocessor=preprocessor))
