"""MobileNets of EfficientAT (Schmid et al., arXiv 2211.04772) as teachers."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ast_edge.base.errors import BundleError
from ast_training.model.mobilenet import COLUMN_FRAMES, IMAGE_RATE, fused
from ast_training.teacher.grid import RATE, WINDOWS, step_middles
from ast_training.teacher.heard import Heard
from ast_training.teacher.mel_image import HOP, MelImage
from ast_training.weights.efficientat import efficientat
from ast_training.weights.foreign import read_tensors

PART = 8
"""Sounds that are computed at once: with more the intermediate results leave the caches."""
_COLUMN_SECONDS = COLUMN_FRAMES * HOP / IMAGE_RATE


class Impression(NamedTuple):
    """What the network makes of a batch of sounds."""

    logits: Tensor
    """(batch, labels)."""
    features: Tensor
    """(batch, features)."""
    step_logits: Tensor
    """(batch, steps, windows, labels)."""
    step_features: Tensor
    """(batch, steps, windows, features)."""


class Mobilenet(nn.Module):
    """The network with its front end; one pass gives clip and steps."""

    def __init__(self, weights: dict[str, Tensor]) -> None:
        """Take a state dict of EfficientAT; its shapes say how wide the network is.

        Raises:
            BundleError: if it is of another network.
        """
        super().__init__()
        network = efficientat(weights)
        self.labels = network.classifier[-1].out_features
        self.image = MelImage()
        self.features: nn.Module = fused(network.features)
        self.classifier: nn.Module = network.classifier
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # its types forgot
        self.eval()

    def forward(self, samples: Tensor) -> Impression:
        """Listen to sounds (batch, samples) at 16 kHz."""
        # On a CPU one by one: for more, memory is asked of the system and given back each time.
        sounds = torch.split(samples, 1 if samples.device.type == "cpu" else len(samples))
        images = torch.cat([self.image(sound) for sound in sounds])
        found = self.features(images.contiguous(memory_format=torch.channels_last))
        columns = found.mean(2)  # (batch, features, columns)
        features = columns.mean(2)
        shares = window_shares(samples.shape[1], columns.shape[2]).to(columns)
        local = torch.einsum("bfc,swc->bswf", columns, shares)
        return Impression(self.classifier(features), features, self.classifier(local), local)


def window_shares(samples: int, columns: int) -> Tensor:
    """Return how much each column of the picture counts in each window (steps, windows, columns).

    A column's middle lies at a multiple of its length, the first at 0. Windows are cut off at the
    ends of the sound.
    """
    middles = torch.from_numpy(step_middles(samples)).clamp(max=samples / RATE)[:, None, None]
    halves = torch.tensor(WINDOWS, dtype=torch.float64)[:, None] / 2
    edges = (torch.arange(columns + 1, dtype=torch.float64) - 0.5) * _COLUMN_SECONDS
    overlap = torch.minimum(edges[1:], middles + halves) - torch.maximum(
        edges[:-1], middles - halves
    )
    shares = overlap.clamp(min=0)
    return shares / shares.sum(2, keepdim=True)


class MobilenetTeacher:
    """Hears by a MobileNet; a moment's probability is the geometric mean over its windows."""

    def __init__(self, path: Path, labels: tuple[str, ...]) -> None:
        """Read weights (.pt, .pth or .safetensors), and take the names of the outputs.

        Raises:
            BundleError: if they cannot be read, are of another network or have other outputs.
        """
        try:
            self.network = Mobilenet(read_tensors(path))
        except BundleError as exc:
            raise BundleError(f"{path}: {exc}") from exc
        if len(labels) != self.network.labels:
            raise BundleError(
                f"{path}: expected {len(labels)} outputs, one per label, got {self.network.labels}"
            )
        self.labels = labels

    def hear(self, samples: NDArray[np.float32]) -> Heard:
        """Listen to sounds (batch, samples), mono at 16 kHz."""
        with torch.inference_mode():
            parts = [self.network(part) for part in torch.split(torch.from_numpy(samples), PART)]
            logits, features, step_logits, step_features = map(torch.cat, zip(*parts, strict=True))
            # The mean of the logarithms: a probability near 0 keeps its order of magnitude.
            steps = nn.functional.logsigmoid(step_logits).mean(2).exp()
        return Heard(
            logits.sigmoid().numpy(), steps.numpy(), features.numpy(), step_features.numpy()
        )
