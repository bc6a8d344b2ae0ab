"""Fewer tokens from block to block: those that are alike become one (ToMe, arXiv 2210.09461).

Nothing is learnt for it. After its attention each block parts its patches into two halves, finds
for each of the first half the one of the second that is most like it, by their keys, and merges the
pairs that are most alike into their mean. How many is fixed, so every shape of the graph is too.
Later blocks attend to a token by how many patches are in it (proportional attention).

Written in operators that every engine has: no scatter, whose sums TensorRT lacks.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ast_edge.base.errors import ConfigError
from ast_edge.model.spec import ModelSpec
from ast_training.model.network import Block, VisionTransformer

SPECIAL = 2
"""Tokens that the clip's head reads; they are never merged."""


def check_merging(spec: ModelSpec, count: int) -> None:
    """Refuse to merge so many tokens in each block of a network.

    Raises:
        ConfigError: with what to do instead.
    """
    if spec.frame_head:
        raise ConfigError(
            "tokens cannot be merged in a model with scores of steps: a step is the mean of its "
            "own patches; export it without --frame-curve, or without merging"
        )
    if spec.grid[0] == 1:
        raise ConfigError(
            "tokens cannot be merged in a model whose patches are as high as the spectrogram: each "
            "is a time of its own; its operations grow with the length of a patch instead"
        )
    most = most_merged(spec)
    if not 1 <= count <= most:
        raise ConfigError(
            f"expected 1 to {most} tokens to merge in each of the {spec.depth - 1} blocks that can "
            f"(this model has {spec.tokens - SPECIAL} patches), got {count}"
        )


def most_merged(spec: ModelSpec) -> int:
    """Return the most tokens that each block can merge: never more than half of what is left."""
    patches, blocks = spec.tokens - SPECIAL, spec.depth - 1
    if not blocks:
        return 0  # the last block computes no patch
    return next(
        count
        for count in range(patches // 2, -1, -1)
        if all(count <= (patches - done * count) // 2 for done in range(blocks))
    )


class MergingTransformer(nn.Module):
    """An encoder that gives the special tokens alone, and merges patches on the way."""

    def __init__(self, whole: VisionTransformer, count: int) -> None:
        """Take the encoder, whose weights are used as they are; see `check_merging`."""
        super().__init__()
        self.whole, self.count = whole, count

    @property
    def pos_embed(self) -> Tensor:
        """What says in which arithmetic it computes."""
        return self.whole.pos_embed

    def encode(self, fbank: Tensor, first: int | None) -> tuple[Tensor, Tensor, Tensor | None]:
        """Map normalised (batch, frames, mels) to the special tokens (batch, 2, width).

        Returns the columns of patches and what is told as well, as `VisionTransformer.encode`.
        """
        assert first == SPECIAL
        x, columns, told = self.whole.embed(fbank)
        sizes: Tensor | None = None
        for block in self.whole.blocks[:-1]:
            assert isinstance(block, Block)
            x, keys = _attended(block, x, sizes)
            x, sizes = merge(x, keys, sizes, self.count)
            x = x + block.mlp(block.norm2(x))
        last = self.whole.blocks[-1]
        assert isinstance(last, Block)
        x, _ = _attended(last, x, sizes, first)
        out: Tensor = self.whole.norm(x + last.mlp(last.norm2(x)))
        return out, columns, told


def _attended(
    block: Block, x: Tensor, sizes: Tensor | None, first: int | None = None
) -> tuple[Tensor, Tensor]:
    """Run the attention of a block; return its tokens and the mean keys of its heads."""
    q, k, v = block.attn.parted(block.norm1(x), first)
    scores = ((q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)).float()
    if sizes is not None:  # (batch, tokens, 1)
        scores = scores + sizes.log().transpose(1, 2).unsqueeze(1)
    mixed = scores.softmax(dim=-1).to(v.dtype) @ v
    return x[:, :first] + block.attn.joined(mixed), k.mean(dim=1)


def merge(x: Tensor, keys: Tensor, sizes: Tensor | None, count: int) -> tuple[Tensor, Tensor]:
    """Merge so many pairs of patches that are alike.

    Args:
        x: tokens (batch, tokens, width), the special ones first.
        keys: what is alike (batch, tokens, head width).
        sizes: patches in each token (batch, tokens, 1) float32; None is one in each.
        count: pairs, at most half of the patches.

    Returns:
        Tokens (batch, tokens - count, width) and their sizes.
    """
    if sizes is None:
        sizes = torch.ones_like(x[..., :1], dtype=torch.float32)
    alike = F.normalize(keys[:, SPECIAL:].float(), dim=-1)
    nearness, nearest = (alike[:, ::2] @ alike[:, 1::2].transpose(1, 2)).max(dim=-1)
    order = nearness.topk(nearness.shape[1], dim=-1).indices  # of the first half, most alike first
    merged, kept = order[:, :count], order[:, count:]
    into = nearest.gather(1, merged)  # of the second half (batch, count)
    weighted = x.float() * sizes  # sums, of which the sizes make means again
    first, second = _halves(weighted)
    first_sizes, second_sizes = _halves(sizes)
    places = torch.arange(second.shape[1], device=x.device).unsqueeze(1)
    joins = (into.unsqueeze(1) == places).float()  # (batch, second half, count)
    second = second + joins @ _taken(first, merged)
    second_sizes = second_sizes + joins @ _taken(first_sizes, merged)
    sums = torch.cat([weighted[:, :SPECIAL], _taken(first, kept), second], dim=1)
    total = torch.cat([sizes[:, :SPECIAL], _taken(first_sizes, kept), second_sizes], dim=1)
    return (sums / total).to(x.dtype), total


def _halves(tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Return every other patch, and those between them."""
    return tokens[:, SPECIAL::2], tokens[:, SPECIAL + 1 :: 2]


def _taken(tokens: Tensor, which: Tensor) -> Tensor:
    """Take tokens (batch, n, width) by their numbers (batch, count)."""
    return tokens.gather(1, which.unsqueeze(-1).expand(-1, -1, tokens.shape[-1]))
