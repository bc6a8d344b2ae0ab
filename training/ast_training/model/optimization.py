"""The optimizer of a recipe: which, and how its learning rate runs over the steps."""

import math
from collections import defaultdict
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import nn

from ast_edge.base.yaml_file import Section
from ast_training.model.network import AudioSpectrogramTransformer


class ScheduleConfig(Section):
    """Warm-up, then steps down, a half cosine to zero, or the full rate until its end nears."""

    kind: Literal["cosine", "step", "trapezoid"] = "cosine"
    """`trapezoid` may be made longer or shorter while it runs, by the number of epochs."""
    decay: int = Field(default=1, gt=0)
    """`trapezoid`: the rate falls to zero, straight, in so many epochs at the end (Hägele et al.
    2024, arXiv 2405.18392)."""
    warmup_steps: int = Field(default=0, ge=0)
    warmup_every: int = Field(default=1, gt=0)
    """The rate grows every so many steps; the first of them run at rate 0, as in the AST code."""
    first: int = Field(default=1, gt=0)
    """`step`: the rate falls for the first time after this many epochs …"""
    every: int = Field(default=1, gt=0)
    """… and from then on after every so many …"""
    factor: float = Field(default=0.5, gt=0, le=1)
    """… by this factor."""

    def share(self, step: int, *, steps_per_epoch: int, epochs: int) -> float:
        """Return the share of the full rate that the optimizer step `step` (from 0) runs at."""
        if step < self.warmup_steps:
            return step // self.warmup_every * self.warmup_every / self.warmup_steps
        if self.kind == "cosine":
            rest = epochs * steps_per_epoch - self.warmup_steps
            progress = (step - self.warmup_steps) / max(1, rest)
            return 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
        if self.kind == "trapezoid":
            left = epochs * steps_per_epoch - step
            return min(1.0, left / (self.decay * steps_per_epoch))
        done = step // steps_per_epoch  # complete epochs
        return float(self.factor ** max(0, (done - self.first) // self.every + 1))


class OptimizerConfig(Section):
    """Adam as AST's recipes use it, or AdamW; an epoch is one pass over the examples."""

    kind: Literal["adam", "adamw"] = "adamw"
    """`adam` adds the weight decay to every gradient (L2, as AST's recipes); `adamw` shrinks all
    but biases and norms, apart from the gradient."""
    lr: float = Field(default=5e-4, gt=0)
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = Field(default=0.05, ge=0)
    layer_decay: float = Field(default=1.0, gt=0, le=1)
    """The rate of each block, from the last to the first, is this much smaller than the next's."""
    stem: float = Field(default=0.0, ge=0, le=1)
    """Share of the rate at which the MobileNet of a stem learns; 0 leaves it as it was given."""
    clip_norm: float = Field(default=0.0, ge=0)
    """Largest norm of the gradient; 0 does not clip."""
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Decay per step of a moving average of the weights, which is then what is evaluated and kept;
    0 keeps none."""
    batch: int = Field(default=64, gt=0)
    """Examples of one optimizer step, over all processes and accumulated parts together."""
    epochs: int = Field(default=30, gt=0)
    schedule: ScheduleConfig = ScheduleConfig()

    def lr_at(self, step: int, steps_per_epoch: int) -> float:
        """Return the learning rate of the optimizer step `step` (from 0)."""
        return self.lr * self.schedule.share(
            step, steps_per_epoch=steps_per_epoch, epochs=self.epochs
        )


def make_optimizer(
    model: AudioSpectrogramTransformer, config: OptimizerConfig, beside: nn.Module | None = None
) -> torch.optim.Optimizer:
    """Make the optimizer of what is learnt; every group's `scale` is its share of the rate.

    What learns `beside` the model does so at the rate of its heads.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = defaultdict(list)
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        decays = config.kind == "adam" or parameter.ndim > 1
        scale = config.layer_decay ** _depth_below_head(name, model.spec.depth)
        scale *= config.stem if name.startswith("v.stem.networks.") else 1.0
        groups[config.weight_decay if decays else 0.0, scale].append(parameter)
    for parameter in beside.parameters() if beside else ():
        groups[config.weight_decay if parameter.ndim > 1 else 0.0, 1.0].append(parameter)
    make = torch.optim.Adam if config.kind == "adam" else torch.optim.AdamW
    return make(
        [
            {"params": parameters, "weight_decay": decay, "scale": scale}
            for (decay, scale), parameters in groups.items()
        ],
        lr=config.lr,
        betas=config.betas,
        fused=True,
    )


def set_lr(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Set the learning rate of all groups, each by its scale."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group["scale"]


def _depth_below_head(name: str, depth: int) -> int:
    """Count the layers between a parameter and the head: 0 head, 1 last block, … , embeddings."""
    if name.startswith(("mlp_head", "frame_head")):
        return 0
    if name.startswith("v.norm"):
        return 1  # moves with the last block
    if name.startswith("v.blocks."):
        return depth - int(name.split(".")[2])
    return depth + 1
