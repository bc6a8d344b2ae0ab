"""What one window of an AST must cost: the multiply-adds of its matrix products, by formula."""

from math import prod

from ast_edge.model.spec import ModelSpec

SPECIAL = 2
"""Tokens that the head of the clip reads."""


def multiply_adds(spec: ModelSpec) -> int:
    """Count those of one window, if nothing is computed that is not read.

    The last block of a model without a frame head computes only the two special tokens: from all
    others it takes their keys and values.
    """
    patches = prod(spec.grid) * prod(spec.patch) * spec.width
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
