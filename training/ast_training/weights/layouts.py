"""What other projects call the weights of AST, and their conversion to and from our names.

Ours are the official names without `module.`. Hugging Face splits the fused projection of query,
key and value in three, and names its tensors one way in files (`hub`: transformers 4, and all
that is published) and another in memory (`transformers`: from version 5). DeiT, the image model
that AST starts from, lacks the head and has a patch kernel for three colours.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Literal

import torch
from torch import Tensor

from ast_edge.base.errors import BundleError

Layout = Literal["ours", "official", "hub", "transformers", "deit"]

_A = "audio_spectrogram_transformer."
_BLOCKS: dict[Layout, str] = {
    "official": "module.v.blocks.",
    "ours": "v.blocks.",
    "hub": _A + "encoder.layer.",
    "transformers": _A + "layers.",
    "deit": "blocks.",
}
"""How the names within Transformer blocks begin, which tells the layouts apart."""
_OUTSIDE = {
    "v.cls_token": _A + "embeddings.cls_token",
    "v.dist_token": _A + "embeddings.distillation_token",
    "v.pos_embed": _A + "embeddings.position_embeddings",
    "v.patch_embed.proj": _A + "embeddings.patch_embeddings.projection",
    "v.norm": _A + "layernorm",
    "mlp_head.0": "classifier.layernorm",
    "mlp_head.1": "classifier.dense",
}
"""Our parameters and layers outside of the blocks -> Hugging Face's."""
_INSIDE: dict[Layout, dict[str, tuple[str, ...]]] = {
    "hub": {
        "norm1": ("layernorm_before",),
        "attn.qkv": tuple(f"attention.attention.{part}" for part in ("query", "key", "value")),
        "attn.proj": ("attention.output.dense",),
        "norm2": ("layernorm_after",),
        "mlp.fc1": ("intermediate.dense",),
        "mlp.fc2": ("output.dense",),
    },
    "transformers": {
        "norm1": ("layernorm_before",),
        "attn.qkv": ("attention.q_proj", "attention.k_proj", "attention.v_proj"),
        "attn.proj": ("attention.o_proj",),
        "norm2": ("layernorm_after",),
        "mlp.fc1": ("mlp.fc1",),
        "mlp.fc2": ("mlp.fc2",),
    },
}
"""Our layers in a block -> Hugging Face's."""
_NO_BIAS = ".attn.qkv.bias"
"""Of ours, what a model may lack in all blocks together."""
_DEAD = re.compile(r"(module\.)?(v\.)?head(_dist)?\.(weight|bias)")
"""DeiT's classifiers of images, which the official checkpoints still carry."""


def names_in(layout: Layout, depth: int) -> dict[str, tuple[str, ...]]:
    """Map our name of every weight to its name in a layout; a split one has three."""
    ours = _our_names(depth)
    if layout == "official":
        return {name: (f"module.{name}",) for name in ours}
    if layout == "deit":
        return {name: (name[2:],) for name in ours if name.startswith("v.")}
    if layout == "ours":
        return {name: (name,) for name in ours}
    return {name: _hugging_face_names(name, layout) for name in ours}


def _our_names(depth: int) -> list[str]:
    parameters = ["v.cls_token", "v.dist_token", "v.pos_embed"]
    layers = [name for name in _OUTSIDE if name not in parameters]
    layers += [f"v.blocks.{block}.{name}" for block in range(depth) for name in _INSIDE["hub"]]
    return parameters + [f"{layer}.{kind}" for layer in layers for kind in ("weight", "bias")]


def _hugging_face_names(name: str, layout: Layout) -> tuple[str, ...]:
    if name in _OUTSIDE:
        return (_OUTSIDE[name],)
    layer, kind = name.rsplit(".", 1)
    if layer in _OUTSIDE:
        return (f"{_OUTSIDE[layer]}.{kind}",)
    _, _, block, inside = layer.split(".", 3)
    return tuple(f"{_BLOCKS[layout]}{block}.{part}.{kind}" for part in _INSIDE[layout][inside])


def layout_of(tensors: Mapping[str, Tensor]) -> tuple[Layout, int]:
    """Tell the layout of a state dict, and the number of its blocks.

    Raises:
        BundleError: if it is none that we know, is incomplete, or holds something else as well.
    """
    for layout, prefix in _BLOCKS.items():
        block = re.compile(re.escape(prefix) + r"\d+\.")
        blocks = {found.group() for key in tensors if (found := block.match(key))}
        if blocks:
            _check_names(tensors, layout, len(blocks))
            return layout, len(blocks)
    raise BundleError(
        "expected the weights of an AST or a DeiT, got a state dict without Transformer blocks "
        f"({_some(tensors)})"
    )


def _check_names(tensors: Mapping[str, Tensor], layout: Layout, depth: int) -> None:
    table = names_in(layout, depth)
    expected = {name for names in table.values() for name in names}
    biases = {name for ours in table if ours.endswith(_NO_BIAS) for name in table[ours]}
    if not biases & tensors.keys():
        expected -= biases  # trained without (qkv_bias: false)
    missing = sorted(expected - tensors.keys())
    unexpected = sorted(name for name in tensors.keys() - expected if not _DEAD.fullmatch(name))
    wrong = [f"{_some(missing)} missing"] if missing else []
    wrong += [f"{_some(unexpected)} unexpected"] if unexpected else []
    if wrong:
        raise BundleError(
            f"expected the weights of {depth} blocks in the layout {layout!r}, "
            f"got {' and '.join(wrong)}"
        )


def _some(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def to_ours(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give the weights of any known layout our names.

    DeiT's patch kernel (width, 3, 16, 16) is summed over the colours, which equals showing the
    spectrogram in all three (AST's paper says averaged, its code sums). Its result has no head.
    A model without biases of query, key and value gets zeros, which are the same.

    Raises:
        BundleError: if the layout is unknown, or the parts of a weight do not fit together.
    """
    layout, depth = layout_of(tensors)
    ours: dict[str, Tensor] = {}
    try:
        for name, theirs in names_in(layout, depth).items():
            if name.endswith(_NO_BIAS) and theirs[0] not in tensors:
                weight = name.removesuffix("bias") + "weight"
                ours[name] = torch.zeros(ours[weight].shape[0])
                continue
            parts = [tensors[key] for key in theirs]
            ours[name] = torch.cat(parts) if len(parts) > 1 else parts[0]
        if layout == "deit":
            kernel = "v.patch_embed.proj.weight"
            ours[kernel] = ours[kernel].sum(dim=1, keepdim=True)
    except (RuntimeError, IndexError) as exc:
        reason = str(exc).splitlines()[0]
        raise BundleError(f"{name}: the layout {layout!r} cannot be converted: {reason}") from exc
    return ours


def from_ours(
    weights: Mapping[str, Tensor], layout: Literal["official", "hub", "transformers"]
) -> dict[str, Tensor]:
    """Give weights with our names those of another layout; the tensors share memory with ours.

    Raises:
        BundleError: if the weights are not complete.
    """
    _, depth = layout_of(weights)
    return {
        name: part
        for ours, theirs in names_in(layout, depth).items()
        for name, part in zip(theirs, weights[ours].chunk(len(theirs)), strict=True)
    }
