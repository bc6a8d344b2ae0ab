"""A convolutional stem: what pretrained networks make of the spectrogram, for tokens and heads.

An AST learns what a sound is from two million clips; a convolutional network from far fewer. So
patches may be told what such networks see around their moment: the hybrid of the Vision
Transformer (Dosovitskiy et al. 2021, section 3.1), beside the patches instead of in their place,
since columns of a third of a second say what, and the patches say when. The heads read the same
beside the tokens (a skip connection), so that the transformer need not learn to hand it on.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ast_edge.model.spec import ModelSpec
from ast_training.model import yamnet
from ast_training.model.mobilenet import (
    COLUMN_FRAMES,
    IMAGE_MELS,
    IMAGE_MIDDLE,
    IMAGE_SCALE,
    POWER_FLOOR,
    fused,
    mobilenet,
)

AROUND_FRAMES = 100
"""Of the sound around a step that its head is told of: short windows say when, long ones what."""


class Seen(NamedTuple):
    """What a stem makes of a batch of windows."""

    columns: Tensor
    """Added to each column of patches (batch, columns, width)."""
    window: Tensor
    """Added to the special tokens (batch, 1, width)."""
    told: Tensor
    """What the heads are told (batch, 1 + columns, numbers): of the window, then of each step."""


class Picture(nn.Module):
    """Draws the spectrogram that a network was trained on from ours."""

    def __init__(
        self, spec: ModelSpec, mels: int, floor: float, middle: float, scale: float
    ) -> None:
        """Take the number of bands, what is added to each, and which logarithms are 0 and 1."""
        super().__init__()
        self.mean, self.std, self.middle, self.scale = spec.mean, spec.std, middle, scale
        self.floor = (math.log(floor) - middle) / scale
        """What it shows of silence."""
        self.bands = nn.Linear(spec.mel_bins, mels)
        """From AST's bands to the network's; both are logarithms."""

    def forward(self, normalised: Tensor) -> Tensor:
        """Draw (batch, frames, bands) from normalised fbanks, in numbers of its size.

        Their logarithms, ten times as large, would lose in bfloat16 what is to be seen.
        """
        weight, bias = self.bands.weight, self.bands.bias
        mean = F.linear(weight.new_full((1, weight.shape[1]), self.mean), weight, bias)[0]
        above = F.linear(
            normalised,
            weight * (2 * self.std / self.scale),
            (mean - self.middle) / self.scale - self.floor,
        )
        # The logarithm of a sum; what the smaller one adds is at most 0.7 / scale.
        return self.floor + above.relu() + F.softplus(-self.scale * above.abs()) / self.scale


class EfficientAtStem(nn.Module):
    """A MobileNet of EfficientAT, whose features are those before its output layer as well."""

    def __init__(self, spec: ModelSpec) -> None:
        """Make one with random weights."""
        super().__init__()
        network = mobilenet(spec.stem)
        self.picture = Picture(spec, IMAGE_MELS, POWER_FLOOR, IMAGE_MIDDLE, IMAGE_SCALE)
        self.features = fused(network.features)
        self.hidden = network.classifier[0]
        self.channels, self.told = spec.stem, self.hidden.out_features
        self.middles = [float(COLUMN_FRAMES * n) for n in range(-(-spec.frames // COLUMN_FRAMES))]

    def forward(self, normalised: Tensor) -> Tensor:
        """Look at normalised fbanks: features (batch, columns, channels)."""
        image = self.picture(normalised).transpose(1, 2).unsqueeze(1)
        columns: Tensor = self.features(image).mean(2).transpose(1, 2)  # over frequency
        return columns

    def tell(self, features: Tensor) -> Tensor:
        """Return what the published output layer reads of mean features (…, told)."""
        return F.hardswish(self.hidden(features))


class YamnetStem(nn.Module):
    """YAMNet on windows of about a second, whose output layer reads its features."""

    def __init__(self, spec: ModelSpec) -> None:
        """Make one with random weights."""
        super().__init__()
        self.picture = Picture(spec, yamnet.IMAGE_MELS, yamnet.MAGNITUDE_FLOOR, 0.0, 1.0)
        self.features = yamnet.yamnet_features()
        self.channels = self.told = yamnet.CHANNELS
        self.starts = yamnet.window_starts(spec.frames)
        self.middles = [start + yamnet.FRAMES / 2 for start in self.starts]

    def forward(self, normalised: Tensor) -> Tensor:
        """Look at normalised fbanks: features (batch, columns, channels)."""
        picture = self.picture(normalised)
        if picture.shape[1] < yamnet.FRAMES:
            missing = yamnet.FRAMES - picture.shape[1]
            picture = F.pad(picture, (0, 0, 0, missing), value=self.picture.floor)
        windows = [picture[:, None, start : start + yamnet.FRAMES] for start in self.starts]
        found: Tensor = self.features(torch.cat([*windows])).mean((2, 3))
        # Window by window, each of the whole batch.
        return found.view(len(windows), -1, self.channels).transpose(0, 1)

    def tell(self, features: Tensor) -> Tensor:
        """Return what the published output layer reads: the features."""
        return features


class Reader(nn.Module):
    """Turns a network's features into what tokens are told; this part learns."""

    def __init__(self, spec: ModelSpec, channels: int, middles: Sequence[float]) -> None:
        """Take the features' number and where their columns lie."""
        super().__init__()
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.proj = nn.Linear(channels, spec.width)
        steps = torch.arange(spec.steps) * spec.stride[1] + spec.patch[1] / 2
        self.register_buffer("_at", between(steps, middles), persistent=False)
        self.register_buffer("_around", around(steps, middles, spec.frames), persistent=False)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return what columns of patches are told, and the window as a whole."""
        seen = self.proj(self.norm(features))
        return self.get_buffer("_at").to(seen.dtype) @ seen, seen.mean(dim=1, keepdim=True)

    def means(self, features: Tensor) -> Tensor:
        """Average features (batch, columns, channels) over the window and around each step."""
        local = self.get_buffer("_around").to(features.dtype) @ features
        return torch.cat([features.mean(dim=1, keepdim=True), local], dim=1)


class Stem(nn.Module):
    """Gives each moment of a window the features of its networks, which learn only if told to."""

    def __init__(self, spec: ModelSpec) -> None:
        """Make one with random weights; `weights.stem` reads those that it needs."""
        super().__init__()
        networks: dict[str, EfficientAtStem | YamnetStem] = {}
        if spec.stem:
            networks["efficientat"] = EfficientAtStem(spec)
        if spec.yamnet:
            networks["yamnet"] = YamnetStem(spec)
        self.told = sum(network.told for network in networks.values())
        """Numbers that heads are told."""
        self.networks = nn.ModuleDict(networks)
        for parameter in self.parameters():
            parameter.requires_grad_(False)
        readers = {k: Reader(spec, one.channels, one.middles) for k, one in networks.items()}
        self.readers = nn.ModuleDict(readers)

    def learn(self) -> None:
        """Let the MobileNet learn; what the heads read of it still is what they were fitted to."""
        if "efficientat" in self.networks:
            network = self.networks["efficientat"]
            assert isinstance(network, EfficientAtStem)
            network.features.requires_grad_(True)
            network.hidden.requires_grad_(True)

    def forward(self, normalised: Tensor) -> Seen:
        """Look at normalised fbanks (batch, frames, mels)."""
        columns, windows, told = [], [], []
        for name, network in self.networks.items():
            reader = self.readers[name]
            assert isinstance(network, EfficientAtStem | YamnetStem)
            assert isinstance(reader, Reader)
            # In bfloat16 what moves little around a large mean would be lost.
            with torch.autocast(normalised.device.type, enabled=False):
                features = network(normalised)
                told.append(network.tell(reader.means(features)))
            column, window = reader(features)
            columns.append(column)
            windows.append(window)
        return Seen(
            torch.stack(columns).sum(0), torch.stack(windows).sum(0), torch.cat(told, dim=-1)
        )


def between(steps: Tensor, middles: Sequence[float]) -> Tensor:
    """Return each column of features' share in each step (steps, columns): straight between two."""
    at = torch.tensor(middles)
    if len(at) == 1:
        return torch.ones(len(steps), 1)
    place = ((steps - at[0]) / (at[1] - at[0])).clamp(0, len(at) - 1)
    return (1 - (place[:, None] - torch.arange(len(at))).abs()).clamp(min=0)


def around(steps: Tensor, middles: Sequence[float], frames: int) -> Tensor:
    """Return each column of features' share in the sound around each step (steps, columns)."""
    at = torch.tensor(middles)
    half = (at[1] - at[0]) / 2 if len(at) > 1 else torch.tensor(frames / 1)
    first, last = steps[:, None] - AROUND_FRAMES / 2, steps[:, None] + AROUND_FRAMES / 2
    overlap = torch.minimum(at + half, last) - torch.maximum(at - half, first)
    shares = overlap.clamp(min=0)
    return shares / shares.sum(1, keepdim=True)
