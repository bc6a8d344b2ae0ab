"""Weights as other projects store them: random, small unless asked otherwise."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ast_edge.model.spec import ModelSpec
from ast_training.model.network import AudioSpectrogramTransformer

SMALL = ModelSpec(labels=527, frames=64, width=64, depth=2, heads=1)
"""AudioSet's labels on 12 by 5 patches."""


def random_model(spec: ModelSpec = SMALL, **changes: Any) -> AudioSpectrogramTransformer:
    """A model whose weights are far from the start, where all tokens are alike."""
    torch.manual_seed(0)
    model = AudioSpectrogramTransformer(replace(spec, **changes)).eval().requires_grad_(False)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.08)
    return model


def official(model: AudioSpectrogramTransformer) -> dict[str, Tensor]:
    """The state dict as the authors' training saves it, with the two dead heads of DeiT."""
    tensors = {f"module.{name}": value for name, value in model.state_dict().items()}
    for head in ("head", "head_dist"):
        tensors[f"module.v.{head}.weight"] = torch.zeros(1000, model.spec.width)
        tensors[f"module.v.{head}.bias"] = torch.zeros(1000)
    return tensors


def deit(side: int = 14, width: int = 64, depth: int = 2) -> dict[str, Tensor]:
    """The state dict of a distilled DeiT with side by side patches of 16 by 16 pixels."""
    spec = ModelSpec(labels=1, frames=16, mel_bins=16, width=width, depth=depth, heads=width // 64)
    weights = random_model(spec).v.state_dict()
    weights["patch_embed.proj.weight"] = torch.randn(width, 3, 16, 16)
    weights["pos_embed"] = torch.randn(1, 2 + side**2, width)
    for head in ("head", "head_dist"):
        weights |= {f"{head}.weight": torch.zeros(1000, width), f"{head}.bias": torch.zeros(1000)}
    return weights


def hugging_face(model: AudioSpectrogramTransformer, **changes: Any) -> Any:
    """The same network in transformers, loaded with our weights by its own names of version 5."""
    from transformers import ASTConfig, ASTForAudioClassification

    spec = model.spec
    settings = {
        "hidden_size": spec.width,
        "num_hidden_layers": spec.depth,
        "num_attention_heads": spec.heads,
        "intermediate_size": 4 * spec.width,
        "patch_size": spec.patch[0],
        "frequency_stride": spec.stride[0],
        "time_stride": spec.stride[1],
        "max_length": spec.frames,
        "num_mel_bins": spec.mel_bins,
        "num_labels": spec.labels,
        "layer_norm_eps": 1e-6,
    }
    theirs = ASTForAudioClassification(ASTConfig(**settings | changes)).eval()
    own = dict(model.named_modules())
    base = theirs.audio_spectrogram_transformer
    pairs = [
        (base.embeddings.patch_embeddings.projection, own["v.patch_embed.proj"]),
        (base.layernorm, own["v.norm"]),
        (theirs.classifier.layernorm, own["mlp_head.0"]),
        (theirs.classifier.dense, own["mlp_head.1"]),
    ]
    for layer, block in zip(base.layers, model.v.blocks, strict=True):
        pairs += [
            (layer.layernorm_before, block.norm1),
            (layer.attention.o_proj, block.attn.proj),
            (layer.layernorm_after, block.norm2),
            (layer.mlp.fc1, block.mlp.fc1),
            (layer.mlp.fc2, block.mlp.fc2),
        ]
        fused = (block.attn.qkv.weight.chunk(3), block.attn.qkv.bias.chunk(3))
        attention = (layer.attention.q_proj, layer.attention.k_proj, layer.attention.v_proj)
        with torch.no_grad():
            for part, weight, bias in zip(attention, *fused, strict=True):
                part.weight.copy_(weight)
                part.bias.copy_(bias)
    for to, source in pairs:
        to.load_state_dict(source.state_dict())
    with torch.no_grad():
        base.embeddings.cls_token.copy_(model.v.cls_token)
        base.embeddings.distillation_token.copy_(model.v.dist_token)
        base.embeddings.position_embeddings.copy_(model.v.pos_embed)
    return theirs


def hub_cache(home: Path, name: str, folder: Path, commit: str = "a" * 40) -> Path:
    """Lay a folder into the Hub's cache below `home` as its `main`; return the snapshot."""
    repository = home / "hub" / f"models--{name.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    (repository / "snapshots").mkdir()
    return folder.rename(repository / "snapshots" / commit)
