"""Teachers with random weights, and the real ones where they are at hand."""

from functools import partial
from pathlib import Path

import torch
from torch import nn
from torchvision.models import mobilenet_v3_large
from torchvision.models.mobilenetv3 import InvertedResidual
from torchvision.ops import SqueezeExcitation

SHARED = Path(__file__).parents[4] / "shared"
MN04 = SHARED / "teachers/mn04/mn04_as_mAP_432.pt"
YAMNET = SHARED / "teachers/yamnet/yamnet.tflite"


def mobilenet_weights(labels=5, width=0.1, seed=1):
    """Random weights in the layout of EfficientAT."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = mobilenet_v3_large(
            width_mult=width,
            num_classes=labels,
            block=partial(
                InvertedResidual, se_layer=partial(SqueezeExcitation, scale_activation=nn.Sigmoid)
            ),
        )
        network.classifier[3].weight.data *= 100  # so that outputs differ from sound to sound
    weights = {}
    for name, value in network.state_dict().items():
        theirs = name.replace("classifier.0", "classifier.2").replace(
            "classifier.3", "classifier.5"
        )
        if ".fc" in name:
            index = theirs.index(".fc")
            theirs = f"{theirs[:index]}.conc_se_layers.0{theirs[index:]}"
            value = value[:, :, 0, 0] if value.ndim == 4 else value
        weights[theirs] = value[:, :1].clone() if name == "features.0.0.weight" else value
    return weights


def save_mobilenet(path, **kwargs):
    """Write random weights as EfficientAT publishes its own."""
    torch.save(mobilenet_weights(**kwargs), path)
    return path
