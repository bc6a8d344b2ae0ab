"""What one window of an AST must cost: the multiply-adds of its matrix products, by formula."""

from math import prod

import torch
from torch import nn

from ast_edge.model.spec import ModelSpec
from ast_training.model.mobilenet import COLUMN_FRAMES, IMAGE_MELS, mobilenet

SPECIAL = 2
"""Tokens that the head of the clip reads."""


def multiply_adds(spec: ModelSpec) -> int:
    """Count those of one window, if nothing is computed that is not read.

    The last block of a model without a frame head computes only the two special tokens: from all
    others it takes their keys and values.
    """
    patches = prod(spec.grid) * prod(spec.patch) * spec.width + _stem(spec)
    if not spec.frame_head:
        blocks = (spec.depth - 1) * _block(spec, spec.tokens) + _block(spec, SPECIAL)
        return patches + blocks + spec.width * spec.labels
    blocks = spec.depth * _block(spec, spec.tokens)
    return patches + blocks + (1 + spec.steps) * spec.width * spec.labels


def _block(spec: ModelSpec, read: int) -> int:
    """Count those of a block of which so many tokens are read."""
    projections = (2 * spec.tokens + 2 * read) * spec.width**2  # key and value; query and output
    attention = 2 * read * spec.tokens * spec.width  # the scores, and the values by them
    return projections + attention + 8 * read * spec.width**2  # MLP, four times as wide


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
