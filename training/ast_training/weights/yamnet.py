"""Weights of YAMNet, read from Google's TFLite model."""

import zipfile
from pathlib import Path

import numpy as np
import torch
from scipy.optimize import nnls
from torch import Tensor
from torchaudio.compliance.kaldi import get_mel_banks

from ast_edge.base.errors import BundleError
from ast_edge.engines.openvino import shared_core
from ast_edge.frontend.fbank import FbankSpec
from ast_training.model.yamnet import (
    CHANNELS,
    IMAGE_FFT,
    IMAGE_HERTZ,
    IMAGE_MELS,
    RATE,
    yamnet_features,
)
from ast_training.weights.efficientat import mel_bank, preemphasis

# isort: split
import openvino  # after our engine, which keeps it from reporting to its maker

LABELS_INSIDE = "yamnet_label_list.txt"
"""Of the archive that is appended to the model."""
_LAYERS = ("Convolution", "GroupConvolution")


def yamnet_labels(path: Path) -> tuple[str, ...]:
    """Read the names that Google's file carries with it.

    Raises:
        BundleError: if it carries none.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return tuple(archive.read(LABELS_INSIDE).decode().splitlines())
    except (OSError, zipfile.BadZipFile, KeyError, UnicodeDecodeError) as exc:
        raise BundleError(
            f"{path}: expected a TFLite model with {LABELS_INSIDE} in it, as Google publishes "
            "YAMNet; or give a list of labels"
        ) from exc


def yamnet_weights(path: Path) -> tuple[dict[str, Tensor], tuple[Tensor, Tensor]]:
    """Read its convolutions, as `yamnet_features` names them, and its output layer.

    The file holds integers; what is returned is what they stand for.

    Returns:
        The convolutions, and weight (labels, features) and bias (labels,) of the output layer.

    Raises:
        BundleError: if it is another model.
    """
    try:
        graph = shared_core().read_model(path)
        layers = [
            _constants(graph, op)
            for op in graph.get_ordered_ops()
            if op.get_type_name() in (*_LAYERS, "MatMul") and _is_layer(op)
        ]
        state = yamnet_features().state_dict()
        names = [name.removesuffix(".weight") for name in state if name.endswith(".weight")]
        found = dict(zip(names, layers[:-1], strict=True))
        weights = {
            f"{name}.{kind}": value.reshape(state[f"{name}.{kind}"].shape)
            for name, layer in found.items()
            for kind, value in zip(("weight", "bias"), layer, strict=True)
        }
        weight, bias = layers[-1]
        return weights, (weight.reshape(-1, CHANNELS), bias.flatten())
    except (RuntimeError, ValueError, IndexError, StopIteration) as exc:
        reason = (str(exc).strip().splitlines() or ["it has other layers"])[-1]
        raise BundleError(f"{path}: expected YAMNet as a TFLite model: {reason:.200}") from exc


def _is_layer(op: openvino.Node) -> bool:
    """Tell whether an operator has weights of its own behind the picture: one is followed by +."""
    return op.get_type_name() in _LAYERS or op.input(1).get_partial_shape()[1] == CHANNELS


def _constants(graph: openvino.Model, op: openvino.Node) -> tuple[Tensor, Tensor]:
    """Return weight and bias of a layer."""
    (added,) = op.output(0).get_target_inputs()
    node = added.get_node()
    while node.get_type_name() != "Add":
        (added,) = node.output(0).get_target_inputs()
        node = added.get_node()
    return _value(op.input_value(1)), _value(node.input_value(1))


def _value(output: openvino.Output) -> Tensor:
    """Compute what depends on no input."""
    model = openvino.Model([output], [], "constant")
    compiled = shared_core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return torch.from_numpy(compiled([])[0].copy())


def yamnet_stem(source: Path, fbank: FbankSpec) -> dict[str, Tensor]:
    """Read a `YamnetStem`.

    Raises:
        BundleError: if it is another model, or the front end hears another rate.
    """
    shares, offsets = _bands(fbank)
    fixed = {f"features.{k}": v for k, v in yamnet_weights(source)[0].items()}
    return fixed | {"picture.bands.weight": shares, "picture.bands.bias": offsets}


def _bands(fbank: FbankSpec) -> tuple[Tensor, Tensor]:
    """Return how YAMNet's bands follow from ours: weights (64, mels) and offsets (64,), logarithms.

    Each of its triangles is fitted by a sum of ours (no negative shares). It adds magnitudes and we
    power; ours are so narrow that the root of a band's mean power stands for its mean magnitude.

    Raises:
        BundleError: if the front end has another rate or length of the FFT.
    """
    if (fbank.sample_rate, fbank.fft_length) != (RATE, IMAGE_FFT):
        raise BundleError(f"YAMNet hears {RATE} Hz by FFTs of {IMAGE_FFT} points, got {fbank}")
    ours = mel_bank(fbank).numpy()
    bins = np.arange(ours.shape[1]) * RATE / IMAGE_FFT
    bank = get_mel_banks(IMAGE_MELS, IMAGE_FFT, float(RATE), *IMAGE_HERTZ, 100.0, -500.0, 1.0)[0]
    wanted = bank.numpy().astype(np.float64) / np.sqrt(preemphasis(bins, RATE))
    mass = ours.sum(1)
    shares = np.stack([nnls(ours.T, row / row.max())[0] for row in wanted]) * mass
    shares /= shares.sum(1, keepdims=True)
    offsets = np.log(wanted.sum(1)) - 0.5 * shares @ np.log(mass.clip(1e-9))
    return torch.tensor(0.5 * shares).float(), torch.tensor(offsets).float()
