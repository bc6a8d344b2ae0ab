"""A trained model as one ONNX graph: log-mel filterbanks in, probabilities out."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from ast_training.model import Attention, AudioSpectrogramTransformer

OPSET = 18


class _Probabilities(nn.Module):
    """The model with its activation, attention written out for export."""

    def __init__(self, model: AudioSpectrogramTransformer) -> None:
        super().__init__()
        self.model = model
        for module in model.modules():
            if isinstance(module, Attention):
                module.plain = True
        self.eval()

    def forward(self, fbank: Tensor) -> Tensor:
        return self.model.probabilities(fbank)


def export_graph(model: AudioSpectrogramTransformer, path: Path) -> None:
    """Write `model` to `path`.

    Input `fbank` (batch, frames, mels) float32, output `clip` (batch, labels) float32. The batch is
    dynamic; normalisation and activation are inside. Changes the model's attention to plain matrix
    products, which give the same values.
    """
    example = torch.zeros(2, model.spec.frames, model.spec.mel_bins)
    with _quiet():
        torch.onnx.export(
            _Probabilities(model),
            (example,),
            str(path),
            input_names=["fbank"],
            output_names=["clip"],
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            dynamic_shapes={"fbank": {0: torch.export.Dim("batch", min=1, max=1024)}},
            verbose=False,
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's deprecations and its notes on torchvision, not needed, to itself."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)


def halve_weights(path: Path, smallest: int = 1024) -> None:
    """Store the large weights of a graph as float16, cast to float32 when the model is loaded.

    Halves the file; arithmetic stays in float32. The weights lose what float16 cannot hold, which
    the parity report of the export shows.
    """
    model = onnx.load(path)
    casts = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.size >= smallest:
            name = tensor.name
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), name + "_half"))
            casts.append(helper.make_node("Cast", [name + "_half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    del model.graph.value_info[:]
    onnx.checker.check_model(model)
    onnx.save(model, path)
