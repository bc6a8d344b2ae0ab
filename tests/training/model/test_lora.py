import pytest
import torch
from pydantic import ValidationError

from ast_edge.model.spec import ModelSpec
from ast_training.model.lora import AdaptConfig, adapt, merged
from ast_training.model.network import AudioSpectrogramTransformer
from ast_training.model.optimization import OptimizerConfig, make_optimizer

SPEC = ModelSpec(labels=2, frames=32, width=64, depth=3, heads=1, patch=(128, 16), stride=(128, 16))
FBANK = torch.linspace(-8, 2, 3 * 32 * 128).view(3, 32, 128)


def make(spec=SPEC):
    torch.manual_seed(0)
    return AudioSpectrogramTransformer(spec)


def adapted(model=None, **settings):
    model = model or make()
    adapt(model, AdaptConfig(**settings))
    return model


def learnt(model):
    return {name for name, parameter in model.named_parameters() if parameter.requires_grad}


def shaken(model):
    """The same after it has learnt something."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    return model


def test_a_model_begins_as_it_was():
    torch.testing.assert_close(adapted()(FBANK), make()(FBANK), rtol=0, atol=0)


def test_heads_alone_are_learnt_on_a_frozen_backbone():
    assert {name.split(".")[0] for name in learnt(adapted(learn="heads"))} == {"mlp_head"}


def test_changes_of_the_named_layers_are_learnt_and_nothing_else_of_the_backbone():
    found = {name for name in learnt(adapted(layers=["qkv", "fc2"])) if name.startswith("v.")}
    ends = ("attn.qkv.parametrizations.weight.0", "mlp.fc2.parametrizations.weight.0")
    assert found == {
        f"v.blocks.{block}.{end}.{factor}" for block in range(3) for end in ends for factor in "ab"
    }


def test_changes_have_the_rank_that_was_asked_for():
    before, after = make().state_dict(), merged(shaken(adapted(rank=3)))
    name = "v.blocks.1.attn.proj.weight"
    assert torch.linalg.matrix_rank(after[name] - before[name], atol=1e-4) == 3


@pytest.mark.parametrize("layers", [["qkv", "proj"], ["qkv", "proj", "fc1", "fc2"]])
def test_merged_weights_make_a_plain_model_with_the_same_answers(layers):
    """The last block reads slices of its first layer's weights: these must be changed as well."""
    model = shaken(adapted(layers=layers)).eval()
    plain = make()
    plain.load_state_dict(merged(model))
    torch.testing.assert_close(plain.eval()(FBANK), model(FBANK))
    assert not torch.allclose(model(FBANK), make().eval()(FBANK), atol=1e-3)


def test_merging_a_model_without_changes_gives_its_weights():
    model = make()
    assert merged(model).keys() == model.state_dict().keys()


def test_changes_are_added_in_float32_whatever_the_layers_multiply_in():
    model = shaken(adapted())
    layer = model.v.blocks[0].attn.qkv
    expected = layer.weight
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(layer.weight, expected, rtol=0, atol=0)


def test_the_optimizer_holds_what_is_learnt():
    model = adapted()
    groups = make_optimizer(model, OptimizerConfig()).param_groups
    held = {id(parameter) for group in groups for parameter in group["params"]}
    assert held == {id(p) for p in model.parameters() if p.requires_grad}


def test_a_layer_that_there_is_not_is_refused():
    with pytest.raises(ValidationError, match="qkv"):
        AdaptConfig(layers=["key"])
