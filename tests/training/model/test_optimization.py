import math
from dataclasses import replace

import pytest
import torch

from ast_edge.model.spec import ModelSpec
from ast_training.model.network import AudioSpectrogramTransformer
from ast_training.model.optimization import OptimizerConfig, ScheduleConfig, make_optimizer, set_lr

SPEC = ModelSpec(labels=2, frames=32, width=8, depth=3, heads=2, patch=(128, 16), stride=(128, 16))


@pytest.fixture
def model():
    torch.manual_seed(0)
    return AudioSpectrogramTransformer(SPEC)


def settings_of(optimizer, key):
    """What each parameter's group says, by the parameter's identity."""
    return {id(p): group[key] for group in optimizer.param_groups for p in group["params"]}


def by_name(model, config, key):
    found = settings_of(make_optimizer(model, config), key)
    return {name: found[id(parameter)] for name, parameter in model.named_parameters()}


# Groups


@pytest.mark.parametrize("kind", ["adam", "adamw"])
@pytest.mark.parametrize("layer_decay", [1.0, 0.5])
def test_every_parameter_is_optimized_once(model, kind, layer_decay):
    optimizer = make_optimizer(model, OptimizerConfig(kind=kind, layer_decay=layer_decay))
    held = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert sorted(held) == sorted(id(p) for p in model.parameters())


def test_a_stem_learns_at_its_share_of_the_rate():
    model = AudioSpectrogramTransformer(replace(SPEC, stem=96))
    model.v.stem.learn()
    scales = settings_of(make_optimizer(model, OptimizerConfig(stem=0.25)), "scale")
    features = model.v.stem.networks["efficientat"].features
    assert {scales[id(p)] for p in features.parameters()} == {0.25}
    assert scales[id(model.v.cls_token)] == 1


def test_what_learns_is_not_the_optimizers_to_say():
    model = AudioSpectrogramTransformer(replace(SPEC, stem=96))
    held = settings_of(make_optimizer(model, OptimizerConfig(stem=0.25)), "scale")
    assert not held.keys() & {id(p) for p in model.v.stem.networks.parameters()}


def test_adam_decays_every_parameter(model):
    decays = by_name(model, OptimizerConfig(kind="adam", weight_decay=0.01), "weight_decay")
    assert set(decays.values()) == {0.01}


def test_adamw_decays_no_bias_and_no_norm(model):
    decays = by_name(model, OptimizerConfig(kind="adamw", weight_decay=0.01), "weight_decay")
    ndims = {name: parameter.ndim for name, parameter in model.named_parameters()}
    assert {name for name, decay in decays.items() if decay == 0} == {
        name for name in ndims if name.endswith("bias") or "norm" in name or "mlp_head.0" in name
    }
    assert set(decays.values()) == {0, 0.01}


@pytest.mark.parametrize("kind", ["adam", "adamw"])
def test_a_step_is_that_of_torch(model, kind):
    """Three steps beside PyTorch's own optimizer, unfused, with its decay set by hand."""
    config = OptimizerConfig(kind=kind, lr=1e-2, betas=(0.95, 0.999), weight_decay=0.1)
    other = AudioSpectrogramTransformer(SPEC)
    other.load_state_dict(model.state_dict())
    matrices = [p for p in other.parameters() if p.ndim > 1]
    vectors = [p for p in other.parameters() if p.ndim == 1]
    make = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[kind]
    golden = make(
        [
            {"params": matrices, "weight_decay": 0.1},
            {"params": vectors, "weight_decay": 0.1 if kind == "adam" else 0.0},
        ],
        lr=1e-2,
        betas=(0.95, 0.999),
        eps=1e-8,
    )
    optimizer = make_optimizer(model, config)
    for _ in range(3):
        for ours, theirs in zip(model.parameters(), other.parameters(), strict=True):
            ours.grad = torch.randn_like(ours)
            theirs.grad = ours.grad.clone()
        optimizer.step()
        golden.step()
    for ours, theirs in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


# Layer-wise decay of the rate


def test_layers_learn_the_slower_the_further_they_are_from_the_head(model):
    scales = by_name(model, OptimizerConfig(layer_decay=0.5), "scale")
    assert {name: scale for name, scale in scales.items() if name.endswith("qkv.weight")} == {
        "v.blocks.0.attn.qkv.weight": 0.125,
        "v.blocks.1.attn.qkv.weight": 0.25,
        "v.blocks.2.attn.qkv.weight": 0.5,
    }
    ends = ("mlp_head.0.weight", "mlp_head.1.bias", "v.norm.weight")
    assert [scales[name] for name in ends] == [1, 1, 0.5]
    first = ("v.cls_token", "v.dist_token", "v.pos_embed", "v.patch_embed.proj.weight")
    assert [scales[name] for name in first] == [0.0625] * 4


def test_the_rate_of_every_group_is_its_share_of_what_is_set(model):
    optimizer = make_optimizer(model, OptimizerConfig(layer_decay=0.5))
    set_lr(optimizer, 0.8)
    found = settings_of(optimizer, "lr")
    rates = {name: found[id(p)] for name, p in model.named_parameters()}
    assert rates["mlp_head.1.weight"] == pytest.approx(0.8)
    assert rates["v.blocks.0.norm1.bias"] == pytest.approx(0.1)


# Schedules


def trace(lr, epochs, steps=100, **schedule):
    """The rate in the middle of every epoch."""
    config = OptimizerConfig(lr=lr, epochs=epochs, schedule=ScheduleConfig(**schedule))
    return [config.lr_at(epoch * steps + steps // 2, steps) for epoch in range(epochs)]


def test_full_audioset_is_trained_at_the_published_rates():
    found = trace(1e-5, 5, kind="step", first=2, every=1, factor=0.5)
    assert found == pytest.approx([1e-5, 1e-5, 5e-6, 2.5e-6, 1.25e-6])


def test_balanced_audioset_is_trained_at_the_published_rates():
    found = trace(5e-5, 25, kind="step", first=10, every=5, factor=0.5)
    golden = [5e-5] * 10 + [2.5e-5] * 5 + [1.25e-5] * 5 + [6.25e-6] * 5
    assert found == pytest.approx(golden)


def test_esc50_ends_at_the_published_rate():
    found = trace(1e-5, 25, kind="step", first=5, every=1, factor=0.85)
    assert found[:5] == [1e-5] * 5
    assert found[-1] == pytest.approx(3.876e-7, rel=1e-3)


def test_audiosets_warm_up_rises_every_fifty_steps_from_zero():
    schedule = ScheduleConfig(kind="step", first=2, warmup_steps=1000, warmup_every=50)
    config = OptimizerConfig(lr=1.0, epochs=5, schedule=schedule)
    rates = [config.lr_at(step, 10_000) for step in (0, 49, 50, 99, 100, 999, 1000, 1001)]
    assert rates == pytest.approx([0, 0, 0.05, 0.05, 0.1, 0.95, 1, 1])


@pytest.mark.parametrize(
    ("step", "share"),
    [(10, 1.0), (33, 0.5 + 0.5 * math.cos(math.pi * 23 / 90)), (55, 0.5), (100, 0.0), (120, 0.0)],
)
def test_a_cosine_falls_from_the_end_of_the_warm_up_to_zero(step, share):
    schedule = ScheduleConfig(kind="cosine", warmup_steps=10)
    found = schedule.share(step, steps_per_epoch=10, epochs=10)
    assert found == pytest.approx(share, abs=1e-12)


def test_a_cosine_of_nothing_but_warm_up_is_defined():
    schedule = ScheduleConfig(kind="cosine", warmup_steps=10)
    assert schedule.share(10, steps_per_epoch=5, epochs=2) == 1.0


@pytest.mark.parametrize(
    ("step", "share"), [(10, 1.0), (79, 1.0), (80, 1.0), (90, 0.5), (99, 0.05)]
)
def test_a_trapezoid_holds_the_rate_and_falls_in_the_last_epochs(step, share):
    schedule = ScheduleConfig(kind="trapezoid", warmup_steps=10, decay=2)
    found = schedule.share(step, steps_per_epoch=10, epochs=10)
    assert found == pytest.approx(share)
