"""YAMNet's convolutions: a MobileNetV1 for spectrograms (Howard et al. 2017, arXiv 1704.04861)."""

from torch import Tensor, nn
from torch.nn.functional import pad

RATE, IMAGE_FFT, IMAGE_MELS = 16_000, 512, 64
"""Hertz, points in its samples, and bands of the picture that it was trained on."""
IMAGE_HERTZ = (125.0, 7500.0)
"""Of its bands."""
MAGNITUDE_FLOOR = 1e-3
"""Added to the magnitude of every band before the logarithm."""

FRAMES = 96
"""Of its window, by 10 ms. It knows no others: what lies outside of one is 0 in every layer, and
a longer picture is music to it, whatever it shows."""
HOP = 64
"""Frames from one window to the next, at most."""
CHANNELS = 1024
"""Of its last layer: its features."""
_WIDTHS = (64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, CHANNELS, CHANNELS)
_STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)


class SameConv2d(nn.Conv2d):
    """A convolution of 3x3 that pads as TensorFlow does: behind first, where one side must."""

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (batch, channels, height, width)."""
        (over, under), (before, after) = (
            _padding(size, self.stride[0]) for size in (x.shape[2], x.shape[3])
        )
        return super().forward(pad(x, (before, after, over, under)))


def _padding(size: int, stride: int) -> tuple[int, int]:
    total = max(0, (-(-size // stride) - 1) * stride + 3 - size)
    return total // 2, total - total // 2


def yamnet_features() -> nn.Sequential:
    """Make the network with random weights: (batch, 1, FRAMES, mels) in, 32 times smaller out.

    Batch norms are within the convolutions, as in the published file.
    """
    layers: list[nn.Module] = [SameConv2d(1, 32, 3, stride=2), nn.ReLU6()]
    before = 32
    for width, stride in zip(_WIDTHS, _STRIDES, strict=True):
        layers += [SameConv2d(before, before, 3, stride=stride, groups=before), nn.ReLU6()]
        layers += [nn.Conv2d(before, width, 1), nn.ReLU6()]
        before = width
    return nn.Sequential(*layers)


def window_starts(frames: int) -> list[int]:
    """Return where windows of `FRAMES` begin that cover so many frames, evenly, as close as wished.

    Fewer frames are one window, which is filled up.
    """
    count = 1 + max(0, -(-(frames - FRAMES) // HOP))
    return [round(n * (frames - FRAMES) / max(1, count - 1)) for n in range(count)]
