"""MobileNets of EfficientAT (Schmid et al., arXiv 2211.04772) as teachers."""

from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchvision.models import mobilenet_v3_large
from torchvision.models.mobilenetv3 import InvertedResidual
from torchvision.ops import Conv2dNormActivation, SqueezeExcitation

from ast_edge.base.errors import BundleError
from ast_training.teacher.grid import RATE, WINDOWS, step_middles
from ast_training.teacher.heard import Heard
from ast_training.teacher.mel_image import HOP, IMAGE_RATE, MelImage
from ast_training.weights.foreign import read_tensors

PART = 8
"""Sounds that are computed at once: with more the intermediate results leave the caches."""
_LAST, _OUTPUT = "features.16.0.weight", "classifier.5.weight"
_COLUMN_SECONDS = 32 * HOP / IMAGE_RATE
"""The network halves the picture five times."""
_FULL_WIDTH = 960
"""Channels of the last convolution of a MobileNetV3-Large."""


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
        if not {_LAST, _OUTPUT} <= weights.keys():
            raise BundleError(f"expected a MobileNet of EfficientAT with {_LAST} and {_OUTPUT}")
        self.labels = len(weights[_OUTPUT])
        network = mobilenet_v3_large(
            width_mult=len(weights[_LAST]) / _FULL_WIDTH,
            num_classes=self.labels,
            block=partial(
                InvertedResidual, se_layer=partial(SqueezeExcitation, scale_activation=nn.Sigmoid)
            ),
            norm_layer=partial(nn.BatchNorm2d, eps=1e-3),
        )
        first = network.features[0]
        first[0] = nn.Conv2d(1, first[0].out_channels, 3, stride=2, padding=1, bias=False)
        try:
            network.load_state_dict(_to_torchvision(weights))
        except RuntimeError as exc:
            reason = " ".join(str(exc).split())
            raise BundleError(f"expected a MobileNet of EfficientAT: {reason:.300}") from exc
        self.image = MelImage()
        self.features: nn.Module = _fused(network.features)
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


def _to_torchvision(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename the layers to those of torchvision, whose squeeze-and-excitation is a convolution."""
    renamed = {}
    for name, value in weights.items():
        squeeze = ".conc_se_layers.0." in name
        ours = name.replace("conc_se_layers.0.", "")
        ours = ours.replace("classifier.2.", "classifier.0.").replace(
            "classifier.5.", "classifier.3."
        )
        renamed[ours] = value[:, :, None, None] if squeeze and value.ndim == 2 else value
    return renamed


def _fused(features: nn.Sequential) -> nn.Sequential:
    """Compute each batch norm within its convolution: the same sums, a quarter of the time less."""
    features.eval()
    for layer in features.modules():
        if isinstance(layer, Conv2dNormActivation):
            layer[0] = fuse_conv_bn_eval(layer[0], layer[1])
            layer[1] = nn.Identity()
    return features
