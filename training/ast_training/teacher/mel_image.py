"""The picture of a sound that EfficientAT's networks look at."""

import torch
import torchaudio
from torch import Tensor, nn
from torch.nn.functional import pad

from ast_training.model.mobilenet import (
    IMAGE_FFT,
    IMAGE_MIDDLE,
    IMAGE_RATE,
    IMAGE_SCALE,
    POWER_FLOOR,
    PREEMPHASIS,
)
from ast_training.teacher.grid import RATE
from ast_training.weights.efficientat import image_bank

FRAME, HOP = 800, 320
"""Samples at the picture's rate."""

BLOCK = 64
"""Samples that one row of a matrix product doubles."""


class Doubling(nn.Module):
    """Resamples from 16 to 32 kHz by torchaudio's filter, as a matrix product: four times as fast.

    The filter's soft edge lets through what lies just above 8 kHz, and the networks were checked
    so. Another one changes their logits by up to 3.
    """

    matrix: Tensor

    def __init__(self) -> None:
        super().__init__()
        published = torchaudio.transforms.Resample(RATE, IMAGE_RATE)
        kernel = published.kernel[:, 0]  # (phases, taps)
        phases, taps = kernel.shape
        matrix = torch.zeros(BLOCK + taps - 1, BLOCK, phases)
        for sample in range(BLOCK):
            matrix[sample : sample + taps, sample] = kernel.T
        self.register_buffer("matrix", matrix.flatten(1), persistent=False)
        self.before: int = published.width

    def forward(self, samples: Tensor) -> Tensor:
        """Turn (batch, samples) into (batch, 2 samples)."""
        length, rows = samples.shape[1], len(self.matrix)
        blocks = -(-length // BLOCK)
        after = (blocks - 1) * BLOCK + rows - length - self.before
        row = pad(samples, (self.before, after)).unfold(1, rows, BLOCK)
        return (row @ self.matrix).flatten(1)[:, : 2 * length]


class MelImage(nn.Module):
    """Turns samples into a log mel spectrogram, about 0 for usual loudness."""

    window: Tensor
    bank: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.resample = Doubling()
        self.register_buffer("window", torch.hann_window(FRAME, periodic=False), persistent=False)
        # A column for the Nyquist bin, which Kaldi leaves out.
        self.register_buffer("bank", pad(image_bank(), (0, 1)).T.contiguous(), persistent=False)

    def forward(self, samples: Tensor) -> Tensor:
        """Turn (batch, samples) at 16 kHz into (batch, 1, mels, frames)."""
        sound = self.resample(samples)
        sound = sound[:, 1:] - PREEMPHASIS * sound[:, :-1]
        spectrum = torch.stft(sound, IMAGE_FFT, HOP, FRAME, self.window, return_complex=True)
        power = spectrum.real**2 + spectrum.imag**2
        mel = torch.log(power.transpose(1, 2) @ self.bank + POWER_FLOOR)
        return ((mel - IMAGE_MIDDLE) / IMAGE_SCALE).transpose(1, 2)[:, None]
