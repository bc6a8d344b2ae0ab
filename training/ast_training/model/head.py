"""The last layers of a network, which read tokens and what a stem tells beside them."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class HeadNorm(nn.LayerNorm):
    """Normalises tokens, and what a stem tells by the mean and deviation that it had in training.

    The first numbers of an input are a token's, the others are told.
    """

    told_mean: Tensor
    told_std: Tensor

    def __init__(self, width: int, told: int) -> None:
        """Take how many numbers are of the token, and how many are told."""
        super().__init__(width)
        self.width = width
        self.register_buffer("told_mean", torch.zeros(told))
        self.register_buffer("told_std", torch.ones(told))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (…, width + told)."""
        token = super().forward(x[..., : self.width])
        told = (x[..., self.width :] - self.told_mean) / self.told_std
        return torch.cat([token, told], dim=-1)


class Head(nn.Linear):
    """A linear layer whose weights for what a stem tells do not learn: `run.first_heads` fits them.

    They would forget in soundscapes, by the thousand, what the recordings that these are composed
    of say by the hundred.
    """

    def __init__(self, width: int, told: int, labels: int) -> None:
        """Take how many numbers are of the token, how many are told, and the number of labels."""
        super().__init__(width, labels)
        self.told = nn.Parameter(torch.zeros(labels, told), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (…, width + told) to logits (…, labels)."""
        width = self.in_features
        out: Tensor = super().forward(x[..., :width])
        with torch.autocast(x.device.type, enabled=False):
            return out.float() + F.linear(x[..., width:], self.told)

    def joined(self) -> nn.Linear:
        """Return the same as one plain layer, which does not say which weights learn."""
        layer = nn.Linear(self.in_features + self.told.shape[1], self.out_features)
        layer.weight = nn.Parameter(torch.cat([self.weight, self.told], dim=1), requires_grad=False)
        layer.bias = self.bias
        return layer


def head(width: int, told: int, labels: int) -> nn.Sequential:
    """Make a norm and a linear layer; without a stem those of AST as published."""
    if not told:
        return nn.Sequential(nn.LayerNorm(width), nn.Linear(width, labels))
    return nn.Sequential(HeadNorm(width, told), Head(width, told, labels))
