"""Weights of EfficientAT's MobileNets: as the network that they are of, and as a stem of an AST."""

import math
from pathlib import Path

import numpy as np
import torch
import torchaudio
from numpy.typing import NDArray
from scipy.optimize import nnls
from torch import Tensor
from torchaudio.compliance.kaldi import get_mel_banks
from torchvision.models import MobileNetV3

from ast_edge.base.errors import BundleError
from ast_edge.frontend.fbank import FbankSpec
from ast_training.model.mobilenet import (
    IMAGE_FFT,
    IMAGE_HERTZ,
    IMAGE_MELS,
    IMAGE_RATE,
    PREEMPHASIS,
    fused,
    mobilenet,
)
from ast_training.weights.foreign import read_tensors

_LAST, _OUTPUT = "features.16.0.weight", "classifier.5.weight"
_SILENT = 1e-17
"""Power of a band that holds nothing: its logarithm is still a number."""


def efficientat(weights: dict[str, Tensor]) -> MobileNetV3:
    """Make the network of a state dict of EfficientAT; its shapes say how wide it is.

    Raises:
        BundleError: if it is of another network.
    """
    if not {_LAST, _OUTPUT} <= weights.keys():
        raise BundleError(f"expected a MobileNet of EfficientAT with {_LAST} and {_OUTPUT}")
    network = mobilenet(len(weights[_LAST]), len(weights[_OUTPUT]))
    try:
        network.load_state_dict(_to_torchvision(weights))
    except RuntimeError as exc:
        reason = " ".join(str(exc).split())
        raise BundleError(f"expected a MobileNet of EfficientAT: {reason:.300}") from exc
    return network


def efficientat_stem(source: Path, channels: int, fbank: FbankSpec) -> dict[str, Tensor]:
    """Read an `EfficientAtStem`.

    Args:
        source: weights of EfficientAT (.pt, .pth or .safetensors).
        channels: of the stem.
        fbank: the front end whose bands it is to be fed with.

    Raises:
        BundleError: if it cannot be read, or is a network of another kind or width.
    """
    network = _read(source)
    found = network.classifier[0].in_features
    if found != channels:
        raise BundleError(f"{source}: expected a network of {channels} channels, got {found}")
    shares, gains = _bands(fbank)
    fixed = {f"features.{k}": v for k, v in fused(network.features).state_dict().items()}
    fixed |= {f"hidden.{k}": v for k, v in network.classifier[0].state_dict().items()}
    return fixed | {"picture.bands.weight": shares, "picture.bands.bias": gains}


def efficientat_output(source: Path) -> tuple[Tensor, Tensor]:
    """Read weight (labels, told) and bias (labels,) of what reads that an `EfficientAtStem` tells.

    Raises:
        BundleError: if it cannot be read, or is another network.
    """
    layer = _read(source).classifier[3]
    return layer.weight.detach(), layer.bias.detach()


def _read(source: Path) -> MobileNetV3:
    try:
        return efficientat(read_tensors(source))
    except BundleError as exc:
        raise BundleError(f"{source}: {exc}") from exc


def image_bank() -> Tensor:
    """Return the triangles of the picture's bands over the bins of its spectrum (bands, bins)."""
    banks: Tensor = get_mel_banks(
        IMAGE_MELS, IMAGE_FFT, float(IMAGE_RATE), *IMAGE_HERTZ, 100.0, -500.0, 1.0
    )[0]
    return banks


def mel_bank(fbank: FbankSpec) -> Tensor:
    """Return the triangles of our front end over the bins of its spectrum (mels, bins)."""
    bank: Tensor = get_mel_banks(
        fbank.mel_bins,
        fbank.fft_length,
        float(fbank.sample_rate),
        fbank.low_hz,
        fbank.top_hz,
        100.0,
        -500.0,
        1.0,
    )[0]
    return bank


def preemphasis(hertz: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    """Return the gain in power of pre-emphasis at frequencies."""
    turn = 2 * math.pi * hertz / rate
    return 1 + PREEMPHASIS**2 - 2 * PREEMPHASIS * np.cos(turn)


def _bands(fbank: FbankSpec) -> tuple[Tensor, Tensor]:
    """Return how EfficientAT's bands follow from ours: weights (128, mels) and logarithms (128,).

    Each of its triangles is fitted by a sum of ours (no negative shares), in power, and the mean of
    logarithms stands for the logarithm of the mean: within a band both are nearly the same.
    """
    ours = mel_bank(fbank).numpy()
    wanted = _folded_bank(fbank)[:, : ours.shape[1]]
    shares = np.stack([nnls(ours.T, row / max(row.max(), _SILENT))[0] for row in wanted])
    totals = shares.sum(1).clip(_SILENT)
    gains = np.log((totals * wanted.max(1).clip(_SILENT)).clip(_SILENT))
    return torch.tensor(shares / totals[:, None]).float(), torch.tensor(gains).float()


def _folded_bank(fbank: FbankSpec) -> NDArray[np.float64]:
    """Return EfficientAT's triangles over the bins of our spectrum (bands, bins).

    Above half our rate they see what the resampling filter's soft edge mirrors there.
    """
    bank = image_bank().numpy().astype(np.float64)
    hertz = np.arange(bank.shape[1]) * IMAGE_RATE / IMAGE_FFT
    nyquist = fbank.sample_rate / 2
    mirrored = np.where(hertz <= nyquist, hertz, 2 * nyquist - hertz)
    # A tone's power by windows of the same length in seconds, at twice the rate.
    gain = (IMAGE_RATE / fbank.sample_rate) ** 2 * _resampling(hertz, fbank.sample_rate)
    gain = gain * preemphasis(hertz, IMAGE_RATE) / preemphasis(mirrored, fbank.sample_rate)
    folded = np.zeros((IMAGE_MELS, fbank.fft_length // 2 + 1))
    bins = np.rint(mirrored * fbank.fft_length / fbank.sample_rate).astype(int)
    np.add.at(folded.T, bins, (bank * gain).T)
    return folded


def _resampling(hertz: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    """Return the gain in power of torchaudio's resampling to EfficientAT's rate."""
    impulse = torch.zeros(1, 2 * rate // 1000 + 1)
    impulse[0, len(impulse[0]) // 2] = rate / IMAGE_RATE
    response = torchaudio.functional.resample(impulse, rate, IMAGE_RATE)[0].double()
    spectrum = torch.fft.rfft(response, 1 << 16).abs().numpy()
    gains: NDArray[np.float64] = np.interp(
        hertz, np.linspace(0, IMAGE_RATE / 2, len(spectrum)), spectrum
    )
    return gains**2


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
