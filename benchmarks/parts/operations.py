"""What one window of an AST must cost: the multiply-adds of its matrix products, by formula."""

from math import prod

import torch
from torch import nn

from ast_edge.model.spec import ModelSpec
from ast_training.model.stem import EfficientAtStem, Stem, YamnetStem

SPECIAL = 2
"""Tokens that the head of the clip reads."""
FOLDED = 8192
"""Numbers of a constant that the exporter works out."""


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
    """Count those of a stem: bands, convolutions, and what carries them to patches and heads."""
    if not (spec.stem or spec.yamnet):
        return 0
    with torch.device("meta"):
        networks = Stem(spec).eval().networks.values()
    return sum(_network(spec, network) for network in networks)


def _network(spec: ModelSpec, network: nn.Module) -> int:
    assert isinstance(network, EfficientAtStem | YamnetStem)
    found = list[int]()

    def count(layer: nn.Module, _: object, made: torch.Tensor) -> None:
        assert isinstance(layer, nn.Conv2d | nn.Linear)
        found.append(made.numel() * layer.weight[0].numel())

    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(count)
    window = torch.empty(1, spec.frames, spec.mel_bins, device="meta")
    columns = network(window).shape[1]
    told = network.tell(torch.empty(1 + spec.steps, network.channels, device="meta")).shape[1]
    bands = network.picture.bands.weight.numel()
    # The bands of the mean, in one row, unless they are so few that the exporter works them out.
    rows = spec.frames + (bands > FOLDED)
    carried = columns * spec.width * (network.channels + spec.steps)
    means = spec.steps * columns * network.channels
    return rows * bands + sum(found) + carried + means + (1 + spec.steps) * told * spec.labels
