"""The convolutional network of EfficientAT: a MobileNetV3-Large of any width for spectrograms.

Schmid et al. 2022, arXiv 2211.04772; built of torchvision's parts (Howard et al. 2019).
"""

from functools import partial

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchvision.models import MobileNetV3, mobilenet_v3_large
from torchvision.models.mobilenetv3 import InvertedResidual
from torchvision.ops import Conv2dNormActivation, SqueezeExcitation

COLUMN_FRAMES = 32
"""Frames of the picture for one column of features: the network halves it five times."""

# The picture that published weights were trained on.
IMAGE_RATE, IMAGE_FFT, IMAGE_MELS = 32_000, 1024, 128
"""Hertz, points in its samples, and bands."""
IMAGE_HERTZ = (0.0, 15_000.0)
"""Of its bands."""
PREEMPHASIS = 0.97
POWER_FLOOR = 1e-5
"""Added to the power of every band."""
IMAGE_MIDDLE, IMAGE_SCALE = -4.5, 5.0
"""What of the logarithm of power is 0, and 1 more."""

_FULL_WIDTH = 960
"""Channels of the last convolution at width 1."""


def mobilenet(channels: int, labels: int = 1) -> MobileNetV3:
    """Make the network with random weights: a picture (batch, 1, mels, frames) in, logits out.

    Args:
        channels: of its last convolution, which say how wide all of it is; 384 for `mn04`.
        labels: number of outputs.
    """
    network = mobilenet_v3_large(
        width_mult=channels / _FULL_WIDTH,
        num_classes=labels,
        block=partial(
            InvertedResidual, se_layer=partial(SqueezeExcitation, scale_activation=nn.Sigmoid)
        ),
        norm_layer=partial(nn.BatchNorm2d, eps=1e-3),
    )
    first = network.features[0]
    first[0] = nn.Conv2d(1, first[0].out_channels, 3, stride=2, padding=1, bias=False)
    return network


def fused(features: nn.Sequential) -> nn.Sequential:
    """Compute each batch norm within its convolution: the same sums, a quarter of the time less."""
    features.eval()
    for layer in features.modules():
        if isinstance(layer, Conv2dNormActivation):
            layer[0] = fuse_conv_bn_eval(layer[0], layer[1])
            layer[1] = nn.Identity()
    return features
