import re

import pytest
import torch
import torch.nn.functional as F
from rigs.training.foreign import deit, hugging_face, official, random_model

from ast_edge.base.errors import BundleError
from ast_training.weights.layouts import from_ours, layout_of, names_in, to_ours


@pytest.fixture(scope="module")
def model():
    return random_model()


@pytest.fixture(scope="module")
def deep():
    """As many blocks as the published models have."""
    return random_model(depth=12, labels=5).state_dict()


def assert_equal(found, expected):
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize(
    ("layout", "count"), [("official", 155), ("hub", 203), ("transformers", 203)]
)
def test_all_155_weights_come_back_bit_by_bit(deep, layout, count):
    assert len(deep) == 155
    theirs = from_ours(deep, layout)
    assert len(theirs) == count
    assert_equal(to_ours(theirs), deep)


def test_a_chain_through_all_layouts_changes_no_bit(deep):
    tensors = from_ours(deep, "official")
    for layout in ("hub", "transformers", "hub", "official"):
        tensors = from_ours(to_ours(tensors), layout)
    assert_equal(tensors, {f"module.{name}": value for name, value in deep.items()})


def test_official_checkpoints_lose_their_dead_heads_and_nothing_else(model):
    tensors = official(model)
    assert len(tensors) == len(model.state_dict()) + 4
    assert_equal(to_ours(tensors), model.state_dict())


def test_an_official_checkpoint_without_the_prefix_is_one_of_ours(model):
    tensors = {name.removeprefix("module."): value for name, value in official(model).items()}
    assert layout_of(tensors) == ("ours", 2)
    assert_equal(to_ours(tensors), model.state_dict())


def test_names_in_memory_are_those_of_transformers(model):
    pytest.importorskip("transformers")
    assert_equal(from_ours(model.state_dict(), "transformers"), hugging_face(model).state_dict())


@pytest.mark.parametrize("layout", ["official", "hub", "transformers"])
def test_each_layout_is_told_by_its_names(model, layout):
    assert layout_of(from_ours(model.state_dict(), layout)) == (layout, 2)


QKV_BIAS = re.compile(r".*(attn\.qkv|attention\.(query|key|value)|[qkv]_proj)\.bias")


@pytest.mark.parametrize("layout", ["official", "hub", "transformers"])
def test_a_model_without_biases_of_query_key_and_value_has_zeros(model, layout):
    theirs = from_ours(model.state_dict(), layout)
    bare = {name: value for name, value in theirs.items() if not QKV_BIAS.fullmatch(name)}
    assert len(theirs) - len(bare) == (2 if layout == "official" else 6)
    zeros = {
        name: torch.zeros_like(value) if name.endswith("attn.qkv.bias") else value
        for name, value in model.state_dict().items()
    }
    assert_equal(to_ours(bare), zeros)


def test_a_model_without_such_biases_computes_what_transformers_does(model):
    transformers = pytest.importorskip("transformers")
    settings = hugging_face(model).config.to_diff_dict() | {"qkv_bias": False}
    theirs = transformers.ASTForAudioClassification(transformers.ASTConfig(**settings)).eval()
    theirs.classifier.layernorm.eps = 1e-5
    ours = random_model()
    ours.load_state_dict(to_ours(theirs.state_dict()))
    sound = torch.randn(2, ours.spec.frames, ours.spec.mel_bins)
    normalised = (sound - ours.spec.mean) / (2 * ours.spec.std)
    with torch.inference_mode():
        torch.testing.assert_close(ours(sound), theirs(normalised).logits, atol=1e-5, rtol=1e-4)


# DeiT


def test_a_deit_becomes_an_encoder_without_a_head():
    source = deit()
    assert layout_of(source) == ("deit", 2)
    found = to_ours(source)
    expected = names_in("ours", 2).keys() - {
        f"mlp_head.{i}.{k}" for i in (0, 1) for k in ("weight", "bias")
    }
    assert found.keys() == expected
    assert torch.equal(found["v.blocks.1.mlp.fc2.bias"], source["blocks.1.mlp.fc2.bias"])


def test_the_summed_kernel_sees_in_a_spectrogram_what_three_equal_colours_show():
    source = {name: value.double() for name, value in deit().items()}
    kernel, colours = (
        to_ours(source)["v.patch_embed.proj.weight"],
        source["patch_embed.proj.weight"],
    )
    image = torch.randn(2, 1, 48, 64, dtype=torch.float64)
    shown = F.conv2d(image.expand(-1, 3, -1, -1), colours)
    torch.testing.assert_close(F.conv2d(image, kernel), shown)


# What is none of them


def refusal(tensors):
    with pytest.raises(BundleError) as caught:
        layout_of(tensors)
    return str(caught.value)


@pytest.mark.parametrize("tensors", [{}, {"fc.weight": torch.zeros(2)}])
def test_a_state_dict_without_blocks_is_refused(tensors):
    assert "without Transformer blocks" in refusal(tensors)


def test_missing_and_unexpected_weights_are_named(model):
    tensors = from_ours(model.state_dict(), "hub")
    tensors["decoder.bias"] = tensors.pop("classifier.dense.bias")
    assert "classifier.dense.bias missing and decoder.bias unexpected" in refusal(tensors)


def test_one_missing_bias_of_many_is_named(model):
    tensors = from_ours(model.state_dict(), "hub")
    gone = "audio_spectrogram_transformer.encoder.layer.0.attention.attention.key.bias"
    del tensors[gone]
    assert f"{gone} missing" in refusal(tensors)


def test_a_missing_block_is_named(deep):
    tensors = {name: value for name, value in deep.items() if ".blocks.3." not in name}
    assert "v.blocks.3.attn.proj.bias" in refusal(tensors)


def test_an_image_transformer_without_a_distillation_token_is_refused():
    tensors = deit()
    del tensors["dist_token"]
    assert "dist_token missing" in refusal(tensors)


def test_parts_of_a_projection_that_do_not_fit_together_are_refused(model):
    tensors = from_ours(model.state_dict(), "hub")
    name = "audio_spectrogram_transformer.encoder.layer.0.attention.attention.key.weight"
    tensors[name] = torch.zeros(64, 63)
    with pytest.raises(
        BundleError, match=r"v\.blocks\.0\.attn\.qkv\.weight: .* cannot be converted"
    ):
        to_ours(tensors)
