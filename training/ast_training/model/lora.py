"""Learning a part of a model: its heads alone, or low-rank changes of its layers besides.

LoRA (Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models"): a layer's weights W
stay as they are, and W + (alpha / rank) B A is used, where only A (rank, in) and B (out, rank) are
learnt. A begins random and B with zeros, so that the model begins as it was. Merged, it is a model
like any other.

The layers are parametrised, not replaced: the last block reads slices of `qkv.weight`, past a layer
that would add the change to its output.
"""

import math
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ast_edge.base.yaml_file import Section
from ast_training.model.network import AudioSpectrogramTransformer

HEADS = ("mlp_head.", "frame_head.")
"""Always learnt: their labels are those of the recipe."""
_FACTORS = ".parametrizations."
"""In the name of what only the training has."""


class AdaptConfig(Section):
    """What is learnt of a model that starts from other weights; all else stays as it was."""

    learn: Literal["heads", "lora"] = "lora"
    """The heads alone on a frozen backbone, or low-rank changes of the backbone as well."""
    rank: int = Field(default=8, gt=0)
    """Of the changes; the more, the more is learnt and the more data it takes."""
    alpha: float = Field(default=16.0, gt=0)
    """Changes are scaled by alpha / rank, so that the rate need not change with the rank."""
    layers: list[Literal["qkv", "proj", "fc1", "fc2"]] = Field(
        default=["qkv", "proj"], min_length=1
    )
    """Of every block: those of attention, as in the paper, or of the two layers behind it too."""


class LowRank(nn.Module):
    """A change of a layer's weights (out, in) as the product of two narrow matrices."""

    def __init__(self, weight: Tensor, rank: int, alpha: float) -> None:
        """Make one that changes nothing yet."""
        super().__init__()
        out, width = weight.shape
        self.scale = alpha / rank
        self.a = nn.Parameter(torch.empty(rank, width))
        self.b = nn.Parameter(torch.zeros(out, rank))
        nn.init.kaiming_uniform_(self.a, a=math.sqrt(5))  # as the authors' code

    def forward(self, weight: Tensor) -> Tensor:
        """Return the changed weights, added up in float32 whatever the layer multiplies in."""
        with torch.autocast(weight.device.type, enabled=False):
            return weight + self.scale * (self.b @ self.a)


def adapt(model: AudioSpectrogramTransformer, config: AdaptConfig) -> None:
    """Let a model that has its weights learn no more than the configuration says."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith(HEADS))
    if config.learn == "heads":
        return
    for name, layer in list(model.v.blocks.named_modules()):
        if isinstance(layer, nn.Linear) and name.rpartition(".")[2] in config.layers:
            change = LowRank(layer.weight, config.rank, config.alpha)
            parametrize.register_parametrization(layer, "weight", change)


def merged(model: AudioSpectrogramTransformer) -> dict[str, Tensor]:
    """Return the weights of a model, its changes added, by the names of one without any."""
    weights = {k: v.detach() for k, v in model.state_dict().items() if _FACTORS not in k}
    for name, layer in model.named_modules():
        if parametrize.is_parametrized(layer, "weight"):
            weights[f"{name}.weight"] = layer.weight.detach()
    return weights
