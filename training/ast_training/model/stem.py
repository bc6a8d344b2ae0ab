"""A convolutional stem: what a pretrained network makes of the spectrogram, for every token.

An AST learns what a sound is from two million clips; a convolutional network from far fewer. So
patches may be told what such a network sees around their moment: the hybrid of the Vision
Transformer (Dosovitskiy et al. 2021, section 3.1), beside the patches instead of in their place,
since its columns of a third of a second say what, and the patches say when.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ast_edge.model.spec import ModelSpec
from ast_training.model.mobilenet import (
    COLUMN_FRAMES,
    IMAGE_MELS,
    IMAGE_MIDDLE,
    IMAGE_SCALE,
    POWER_FLOOR,
    fused,
    mobilenet,
)

FLOOR = (math.log(POWER_FLOOR) - IMAGE_MIDDLE) / IMAGE_SCALE
"""What a picture shows of silence."""


class Stem(nn.Module):
    """Gives each moment of a window the features of a MobileNet; its convolutions do not learn."""

    def __init__(self, spec: ModelSpec) -> None:
        """Make one with random weights; `efficientat_stem` reads those that it needs."""
        super().__init__()
        self.mean, self.std = spec.mean, spec.std
        self.bands = nn.Linear(spec.mel_bins, IMAGE_MELS)
        """From AST's bands to those that the network was trained on; both are logarithms."""
        self.features = fused(mobilenet(spec.stem).features)
        for parameter in self.parameters():
            parameter.requires_grad_(False)
        self.norm = nn.LayerNorm(spec.stem, eps=1e-6)
        self.proj = nn.Linear(spec.stem, spec.width)
        self.register_buffer("_at", _shares(spec), persistent=False)

    def forward(self, normalised: Tensor) -> tuple[Tensor, Tensor]:
        """Look at normalised fbanks (batch, frames, mels).

        Returns:
            What is added to each column of patches (batch, columns, width), and its mean over the
            window (batch, 1, width).
        """
        with torch.no_grad():
            image = self._image(normalised).transpose(1, 2).unsqueeze(1)
            found = self.features(image).mean(2).transpose(1, 2)  # over frequency
        seen = self.proj(self.norm(found))
        return self.get_buffer("_at").to(seen.dtype) @ seen, seen.mean(dim=1, keepdim=True)

    def _image(self, normalised: Tensor) -> Tensor:
        """Draw the network's picture (batch, frames, bands) in numbers of its size.

        Their logarithms, ten times as large, would lose in bfloat16 what is to be seen.
        """
        weight, bias = self.bands.weight, self.bands.bias
        mean = F.linear(weight.new_full((1, weight.shape[1]), self.mean), weight, bias)[0]
        above = F.linear(
            normalised,
            weight * (2 * self.std / IMAGE_SCALE),
            (mean - IMAGE_MIDDLE) / IMAGE_SCALE - FLOOR,
        )
        # The logarithm of a sum; what the smaller one adds is at most 0.14.
        return FLOOR + above.relu() + F.softplus(-IMAGE_SCALE * above.abs()) / IMAGE_SCALE


def _shares(spec: ModelSpec) -> Tensor:
    """Return how much of each column of features a column of patches takes: straight between two.

    A feature's middle lies at a multiple of its length, the first at 0.
    """
    columns = -(-spec.frames // COLUMN_FRAMES)
    middles = torch.arange(spec.steps) * spec.stride[1] + spec.patch[1] / 2
    apart = (middles[:, None] / COLUMN_FRAMES).clamp(max=columns - 1) - torch.arange(columns)
    return (1 - apart.abs()).clamp(min=0)
