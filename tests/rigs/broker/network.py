"""A small network, and sound for it."""

import torch

from ast_edge.model.spec import ModelSpec
from ast_training.model.network import AudioSpectrogramTransformer


def small(**settings: object) -> AudioSpectrogramTransformer:
    """A model of two blocks on 4 by 3 patches that do not overlap."""
    shape = {"labels": 5, "frames": 48, "mel_bins": 64, "width": 32, "depth": 2, "heads": 2}
    spec = ModelSpec(**shape | {"stride": (16, 16), "mean": 0.0, "std": 0.5} | settings)
    torch.manual_seed(0)
    return AudioSpectrogramTransformer(spec).eval().requires_grad_(False)


def sound(spec: ModelSpec, batch: int = 2) -> torch.Tensor:
    """Random fbanks (batch, frames, mels), the same every time."""
    return torch.randn(
        batch, spec.frames, spec.mel_bins, generator=torch.Generator().manual_seed(1)
    )
