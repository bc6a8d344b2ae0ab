"""The loss of each example, by the recipe's kind; a target that is no number is not known."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def frame_losses(logits: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
    """Compute the mean loss of each example's steps (batch,) from (batch, steps, labels).

    `weights` (labels,) say how much each label counts in the mean; all alike without them.
    """
    if not targets.shape[1]:
        return logits.new_zeros(len(logits))
    return _binary(logits, targets, weights).mean(dim=1)


def losses(logits: Tensor, targets: Tensor, kind: str, weights: Tensor | None = None) -> Tensor:
    """Compute the loss of each example (batch,) from (batch, labels).

    Cross-entropy takes targets as they are, one or a mixture: the official code cuts a mixture's
    shares to integers, which makes class 0 of every mixed clip.
    """
    if kind == "bce":
        return _binary(logits, targets, weights)
    return F.cross_entropy(logits, targets, weights, reduction="none")


def effective_number_weights(counts: Sequence[int], beta: float) -> list[float]:
    """Return how much each label counts in the loss, the more the rarer it is; 1 on average.

    (1 - beta) / (1 - beta^n) of a label with n clips, the inverse of the effective number of its
    clips (Cui et al. 2019, "Class-Balanced Loss Based on Effective Number of Samples", equation 4).
    With beta 0 all count alike, with beta near 1 by 1 / n. A label counts so for what has it and
    for what has not: its probabilities mean what they did. One that no clip has counts as one of
    one.
    """
    raw = [(1 - beta) / (1 - beta ** max(count, 1)) for count in counts]
    return [weight * len(raw) / sum(raw) for weight in raw]


def _binary(logits: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
    """Average over the labels, the last dimension; those not known count as learnt."""
    known = targets.isfinite()
    each = F.binary_cross_entropy_with_logits(
        logits, targets.nan_to_num(), reduction="none", weight=weights
    )
    each = torch.where(known, each, 0.0)
    return each.mean(dim=-1) if weights is None else each.sum(dim=-1) / weights.sum()
