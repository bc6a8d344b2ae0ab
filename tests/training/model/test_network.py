import json

import pytest
import torch
from rigs.broker.network import small, sound
from safetensors.torch import save_file
from torch import nn

from ast_edge.model.spec import SIZES, ModelSpec
from ast_training.model.network import AudioSpectrogramTransformer, TrainingOptions

# Size and shape


@pytest.mark.parametrize(
    ("size", "labels", "frames", "stride", "parameters"),
    [
        ("tiny", 527, 1024, 10, 5_723_663),
        ("tiny", 527, 1024, 16, 5_589_263),
        ("tiny", 50, 512, 10, 5_514_098),
        ("tiny", 35, 128, 10, 5_423_651),
        ("small", 527, 1024, 10, 22_063_631),
        ("small", 527, 1024, 16, 21_794_831),
        ("small", 50, 512, 10, 21_644_978),
        ("small", 35, 128, 10, 21_464_099),
        ("base", 527, 1024, 10, 86_594_063),
        ("base", 527, 1024, 16, 86_056_463),
        ("base", 50, 512, 10, 85_757_234),
        ("base", 35, 128, 10, 85_395_491),
    ],
)
def test_has_as_many_parameters_as_the_official_model(size, labels, frames, stride, parameters):
    width, depth, heads = SIZES[size]
    spec = ModelSpec(labels, frames, 128, width, depth, heads, (16, 16), (stride, stride))
    with torch.device("meta"):
        model = AudioSpectrogramTransformer(spec)
    assert sum(p.numel() for p in model.parameters()) == parameters


@pytest.mark.parametrize(
    ("stride", "frames", "grid"),
    [
        (10, 1024, (12, 101)),
        (10, 998, (12, 99)),
        (10, 512, (12, 50)),
        (10, 128, (12, 12)),
        (12, 1024, (10, 85)),
        (14, 1024, (9, 73)),
        (16, 1024, (8, 64)),
        (16, 100, (8, 6)),
    ],
)
def test_patches_fill_the_grid_of_the_paper(stride, frames, grid):
    spec = ModelSpec(2, frames, 128, 8, 1, 1, (16, 16), (stride, stride))
    model = AudioSpectrogramTransformer(spec)
    patches = model.v.patch_embed(torch.zeros(1, frames, 128))
    assert spec.grid == grid
    assert patches.shape == (1, grid[0] * grid[1], 8)


def test_layer_norms_have_the_eps_of_timm_and_the_head_that_of_torch():
    eps = {name: m.eps for name, m in small().named_modules() if isinstance(m, nn.LayerNorm)}
    assert eps.pop("mlp_head.0") == 1e-5
    assert set(eps.values()) == {1e-6}


def test_head_starts_as_torch_does_and_the_encoder_as_deit_does():
    model = small()
    assert model.mlp_head[1].weight.abs().max() <= 1 / 32**0.5
    assert model.mlp_head[1].weight.std() > 0.05  # uniform: 0.10; DeiT's would be 0.02
    assert model.v.blocks[0].mlp.fc1.weight.std() == pytest.approx(0.02, rel=0.05)
    assert not model.v.blocks[0].attn.qkv.bias.any()


# The same as Hugging Face's model

HUB_NAMES = {  # the files on the Hub, and transformers up to version 4
    "attention.q": "attention.attention.query",
    "attention.k": "attention.attention.key",
    "attention.v": "attention.attention.value",
    "attention.o": "attention.output.dense",
    "fc1": "intermediate.dense",
    "fc2": "output.dense",
    "layers": "encoder.layer",
}
MEMORY_NAMES = {  # transformers 5
    "attention.q": "attention.q_proj",
    "attention.k": "attention.k_proj",
    "attention.v": "attention.v_proj",
    "attention.o": "attention.o_proj",
    "fc1": "mlp.fc1",
    "fc2": "mlp.fc2",
    "layers": "layers",
}


def to_hugging_face(weights, names):
    """Rename our weights, and split the fused projections."""
    found = {}
    outside = {
        "v.cls_token": "embeddings.cls_token",
        "v.dist_token": "embeddings.distillation_token",
        "v.pos_embed": "embeddings.position_embeddings",
        "v.patch_embed.proj": "embeddings.patch_embeddings.projection",
        "v.norm": "layernorm",
    }
    inside = {
        "norm1": "layernorm_before",
        "norm2": "layernorm_after",
        "attn.proj": names["attention.o"],
        "mlp.fc1": names["fc1"],
        "mlp.fc2": names["fc2"],
    }
    for key, value in weights.items():
        part, _, kind = key.rpartition(".")
        if key.startswith("mlp_head"):
            found[f"classifier.{'layernorm' if '.0.' in key else 'dense'}.{kind}"] = value
        elif key in outside:
            found[f"audio_spectrogram_transformer.{outside[key]}"] = value
        elif part in outside:
            found[f"audio_spectrogram_transformer.{outside[part]}.{kind}"] = value
        else:
            _, _, block, layer = part.split(".", 3)
            prefix = f"audio_spectrogram_transformer.{names['layers']}.{block}"
            if layer == "attn.qkv":
                for which, rows in zip("qkv", value.chunk(3), strict=True):
                    found[f"{prefix}.{names[f'attention.{which}']}.{kind}"] = rows.clone()
            else:
                found[f"{prefix}.{inside[layer]}.{kind}"] = value
    return found


def random_tiny(stride):
    width, depth, heads = SIZES["tiny"]
    spec = ModelSpec(
        35, 128, 128, width, depth, heads, (16, 16), (stride, stride), mean=0.0, std=0.5
    )
    torch.manual_seed(stride)
    model = AudioSpectrogramTransformer(spec).eval()
    for parameter in model.parameters():  # far from the start, where all tokens are alike
        nn.init.normal_(parameter, std=0.08)
    return model


def hugging_face_config(spec):
    transformers = pytest.importorskip("transformers")
    return transformers.ASTConfig(
        hidden_size=spec.width,
        num_hidden_layers=spec.depth,
        num_attention_heads=spec.heads,
        intermediate_size=4 * spec.width,
        frequency_stride=spec.stride[0],
        time_stride=spec.stride[1],
        max_length=spec.frames,
        num_mel_bins=spec.mel_bins,
        num_labels=spec.labels,
        layer_norm_eps=1e-6,
        architectures=["ASTForAudioClassification"],
    )


@torch.inference_mode()
def assert_same_logits(ours, theirs):
    theirs.eval()
    theirs.classifier.layernorm.eps = 1e-5  # one value for all of them is wrong for the head
    features = sound(ours.spec, batch=3)
    expected = theirs(features).logits
    assert expected.std() > 0.1
    assert (ours(features) - expected).abs().max() <= 1e-5


@pytest.mark.parametrize("stride", [10, 16])
def test_logits_equal_those_of_hugging_face(stride):
    config = hugging_face_config((ours := random_tiny(stride)).spec)
    from transformers import ASTForAudioClassification

    theirs = ASTForAudioClassification(config)
    theirs.load_state_dict(to_hugging_face(ours.state_dict(), MEMORY_NAMES))
    assert_same_logits(ours, theirs)


@pytest.mark.parametrize("stride", [10, 16])
def test_logits_equal_those_of_a_checkpoint_with_the_names_of_the_hub(stride, tmp_path):
    config = hugging_face_config((ours := random_tiny(stride)).spec)
    from transformers import ASTForAudioClassification

    weights = to_hugging_face(ours.state_dict(), HUB_NAMES)
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    (tmp_path / "config.json").write_text(json.dumps(config.to_dict()))
    theirs, report = ASTForAudioClassification.from_pretrained(
        tmp_path, local_files_only=True, output_loading_info=True
    )
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    assert_same_logits(ours, theirs)


# What happens to the tokens


@pytest.mark.parametrize("token", ["cls_token", "dist_token"])
def test_each_special_token_has_a_say(token):
    model = small()
    features = sound(model.spec)
    before = model(features)
    getattr(model.v, token)[..., 0] += 1.0
    assert (model(features) - before).abs().max() > 1e-4


def test_special_tokens_are_averaged_after_the_final_norm():
    model = small()
    model.v.cls_token.mul_(50)  # so that before and after the norm differ
    seen = []
    model.v.norm.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    logits = model(sound(model.spec))
    cls, dist = seen[0][:, 0], seen[0][:, 1]
    after = model.mlp_head((model.v.norm(cls) + model.v.norm(dist)) / 2)
    before = model.mlp_head(model.v.norm((cls + dist) / 2))
    torch.testing.assert_close(logits, after)
    assert (logits - before).abs().max() > 1e-3


@pytest.mark.parametrize(("frequency", "time"), [(0, 0), (0, 2), (3, 0), (2, 1), (3, 2)])
def test_token_of_a_patch_stands_in_frequency_major_order(frequency, time):
    model = small()
    seen = []
    model.v.blocks[0].register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    features = sound(model.spec, batch=1)
    model(features)
    features[:, 16 * time : 16 * time + 16, 16 * frequency : 16 * frequency + 16] += 1.0
    model(features)
    changed = (seen[0] != seen[1]).any(dim=2)[0].nonzero().flatten().tolist()
    assert changed == [2 + frequency * model.spec.grid[1] + time]


def test_input_is_normalised_by_twice_the_standard_deviation():
    plain, normalising = small(), small(mean=-4.0, std=3.0)
    features = sound(plain.spec)
    torch.testing.assert_close(normalising(features * 6 - 4), plain(features))


def test_softmax_models_give_probabilities_that_sum_to_one():
    model = small(activation="softmax")
    torch.testing.assert_close(model.probabilities(sound(model.spec)).sum(dim=1), torch.ones(2))


def test_sigmoid_models_give_the_sigmoid_of_the_logits():
    model = small()
    features = sound(model.spec)
    torch.testing.assert_close(model.probabilities(features), model(features).sigmoid())


def test_plain_attention_says_what_the_fused_kernel_says():
    model = small()
    features = sound(model.spec)
    fused = model(features)
    for block in model.v.blocks:
        block.attn.plain = True
    assert (model(features) - fused).abs().max() < 1e-6


def test_samples_of_a_batch_do_not_see_each_other():
    model = small()
    features = sound(model.spec, batch=4)
    alone = torch.cat([model(sample[None]) for sample in features])
    torch.testing.assert_close(model(features), alone, atol=1e-6, rtol=0)


def test_the_last_block_says_of_the_special_tokens_what_it_would_say_of_all():
    model = small()
    block, tokens = model.v.blocks[-1], torch.randn(2, 14, model.spec.width)
    torch.testing.assert_close(block(tokens, 2), block(tokens)[:, :2], atol=1e-6, rtol=0)


def test_patchout_leaves_out_whole_rows_and_columns():
    options = TrainingOptions(patchout=(1, 2))
    model = AudioSpectrogramTransformer(small().spec, options).train()
    rows, columns = model.spec.grid
    seen = []
    model.v.blocks[0].register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        model.v.pos_embed[0, 2:, 0] = 1000.0 * (1 + torch.arange(rows * columns))  # names a patch
        model(sound(model.spec))
    patches = (seen[0][0, 2:, 0] / 1000).round().int() - 1
    kept = {(int(p) // columns, int(p) % columns) for p in patches}
    kept_rows, kept_columns = ({patch[axis] for patch in kept} for axis in (0, 1))
    assert (len(kept_rows), len(kept_columns)) == (rows - 1, columns - 2)
    assert len(patches) == len(kept) == len(kept_rows) * len(kept_columns)


def test_patchout_rests_in_evaluation():
    model = small()
    sparse = AudioSpectrogramTransformer(model.spec, TrainingOptions(patchout=(1, 1))).eval()
    sparse.requires_grad_(False).load_state_dict(model.state_dict())
    features = sound(model.spec)
    assert torch.equal(sparse(features), model(features))


def test_patchout_of_every_patch_is_refused():
    with pytest.raises(ValueError, match="leaves nothing"):
        AudioSpectrogramTransformer(small().spec, TrainingOptions(patchout=(99, 0)))


def test_activation_checkpointing_changes_no_gradient():
    gradients = []
    for checkpointing in (False, True):
        options = TrainingOptions(activation_checkpointing=checkpointing)
        model = AudioSpectrogramTransformer(small().spec, options).train()
        model.load_state_dict(small().state_dict())
        with torch.enable_grad():
            model.requires_grad_(True)(sound(model.spec)).square().sum().backward()
        gradients.append([p.grad for p in model.parameters()])
    torch.testing.assert_close(*gradients)


def test_stochastic_depth_rests_in_evaluation():
    model = small()
    dropping = AudioSpectrogramTransformer(model.spec, TrainingOptions(drop_path=0.9)).eval()
    dropping.requires_grad_(False).load_state_dict(model.state_dict())
    features = sound(model.spec)
    assert torch.equal(dropping(features), model(features))


def test_stochastic_depth_skips_branches_in_training():
    model = AudioSpectrogramTransformer(small().spec, TrainingOptions(drop_path=0.5)).train()
    features = sound(model.spec)
    assert not torch.equal(model(features), model(features))


def test_stochastic_depth_grows_from_zero_at_the_first_block():
    model = AudioSpectrogramTransformer(small(depth=5).spec, TrainingOptions(drop_path=0.4))
    rates = [block.drop_path for block in model.v.blocks]
    assert rates == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4])
