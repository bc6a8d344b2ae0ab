"""The loss of each example, by the recipe's kind."""

import torch.nn.functional as F
from torch import Tensor


def frame_losses(logits: Tensor, targets: Tensor) -> Tensor:
    """Compute the mean loss of each example's steps (batch,) from (batch, steps, labels)."""
    if not targets.shape[1]:
        return logits.new_zeros(len(logits))
    loss = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    return loss.mean(dim=(1, 2))


def losses(logits: Tensor, targets: Tensor, kind: str) -> Tensor:
    """Compute the loss of each example (batch,).

    Cross-entropy takes targets as they are, one or a mixture: the official code cuts a mixture's
    shares to integers, which makes class 0 of every mixed clip.
    """
    if kind == "bce":
        return F.binary_cross_entropy_with_logits(logits, targets, reduction="none").mean(dim=1)
    return F.cross_entropy(logits, targets, reduction="none")
