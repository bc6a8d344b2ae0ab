"""Positional embeddings for another grid of patches."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PosEmbed = Literal["bilinear", "nearest", "reinit"]
"""How a positional embedding is fitted to a larger grid; `reinit` makes a new one for any grid."""


def adapt_pos_embed(
    pos_embed: Tensor,
    source: tuple[int, int],
    target: tuple[int, int],
    mode: PosEmbed = "bilinear",
) -> Tensor:
    """Fit a positional embedding to another patch grid (paper, section 2.2 and table 4).

    An axis that shrinks is cut around its centre; an axis that grows is interpolated. With `reinit`
    all patches get new random values instead. The two special tokens keep their embeddings.

    Args:
        pos_embed: (1, 2 + patches, width), patches frequency-major.
        source: its grid (along frequency, along time).
        target: the wanted grid.
        mode: what to do with the patches.
    """
    if pos_embed.shape[1] != 2 + source[0] * source[1]:
        raise ValueError(f"{pos_embed.shape[1]} tokens do not fill a {source} grid and 2 tokens")
    special, patches = pos_embed[:, :2], pos_embed[:, 2:]
    if mode == "reinit":
        fresh = patches.new_empty(1, target[0] * target[1], patches.shape[2])
        return torch.cat([special, nn.init.trunc_normal_(fresh, std=0.02)], dim=1)
    corners = False if mode == "bilinear" else None  # no question for the nearest
    grid = patches.transpose(1, 2).reshape(1, -1, *source)  # (1, width, frequency, time)
    for axis, size in ((3, target[1]), (2, target[0])):  # time first, as the official code
        have = grid.shape[axis]
        if size <= have:
            grid = grid.narrow(axis, have // 2 - size // 2, size)
        else:
            shape = (grid.shape[2], size) if axis == 3 else (size, grid.shape[3])
            grid = F.interpolate(grid, shape, mode=mode, align_corners=corners)
    return torch.cat([special, grid.flatten(2).transpose(1, 2)], dim=1)
