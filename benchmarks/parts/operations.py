"""What one window of an AST must cost: the multiply-adds of its matrix products, by formula."""

from math import prod

import torch
from torch import nn

from ast_edge.model.spec import ModelSpec
from ast_training.model.mobilenet import COLUMN_FRAMES, IMAGE_MELS, mobilenet

SPECIAL = 2
"""Tokens that the head of the clip reads."""


def multiply_adds(spec: ModelSpec, merged: int = 0) -> int:
    """Count those of one window, if nothing is computed that is not read.

    The last block of a model without a frame head computes only the two special tokens: from all
    others it takes their keys and values. With `merged` each block before it merges so many tokens.
    """
    patches = prod(spec.grid) * prod(spec.patch) * spec.width + _stem(spec)
    if spec.frame_head:
        blocks = spec.depth * _block(spec, spec.tokens, spec.tokens)
        return patches + blocks + (1 + spec.steps) * spec.width * spec.labels
    lengths = [spec.tokens - number * merged for number in range(spec.depth)]
    blocks = sum(_block(spec, tokens, tokens, merged) for tokens in lengths[:-1])
    blocks += _block(spec, lengths[-1], SPECIAL)
    return patches + blocks + spec.width * spec.labels


def _block(spec: ModelSpec, tokens: int, read: int, merged: int = 0) -> int:
    """Count those of a block of which so many tokens are read, and of those so many merged."""
    projections = (2 * tokens + 2 * read) * spec.width**2  # key and value; query and output
    attention = 2 * read * tokens * spec.width  # the scores, and the values by them
    mlp = 8 * (read - merged) * spec.width**2  # four times as wide
    return projections + attention + mlp + (_merging(spec, tokens, merged) if merged else 0)


def _merging(spec: ModelSpec, tokens: int, merged: int) -> int:
    """Count those of how alike one half of the patches is to the other, and of the sums."""
    first, second = -(-(tokens - SPECIAL) // 2), (tokens - SPECIAL) // 2
    alike = first * second * spec.width // spec.heads
    return alike + second * merged * (spec.width + 1)  # tokens, and how many patches are in them


def _stem(spec: ModelSpec) -> int:
    """Count those of a stem: its bands, its convolutions, and what carries them to the patches."""
    if not spec.stem:
        return 0
    columns, found = -(-spec.frames // COLUMN_FRAMES), list[int]()

    def count(layer: nn.Module, _: object, made: torch.Tensor) -> None:
        assert isinstance(layer, nn.Conv2d)
        found.append(made.numel() * layer.weight[0].numel())

    with torch.device("meta"):
        features = mobilenet(spec.stem).features.eval()
        for layer in features.modules():
            if isinstance(layer, nn.Conv2d):
                layer.register_forward_hook(count)
        features(torch.empty(1, 1, IMAGE_MELS, spec.frames))
    bands = (spec.frames + 1) * spec.mel_bins * IMAGE_MELS  # and of the mean, in one row
    carried = columns * spec.width * (spec.stem + spec.steps)
    return bands + sum(found) + carried
