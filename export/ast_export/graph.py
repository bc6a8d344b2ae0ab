"""A trained model as one ONNX graph: log-mel filterbanks in, probabilities out."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import onnx
import torch

from ast_edge.base.errors import ConfigError
from ast_export.compression import LARGEST, forget_origin
from ast_export.merged import MergedModel

OPSET = 18
"""The oldest that holds all operators: read by every TensorRT since 8.6."""


def export_graph(model: MergedModel, path: Path, opset: int = OPSET) -> None:
    """Write `model` to `path`; its weights to a file beside it if one cannot hold them.

    Input `fbank` (batch, frames, mels) float32, output `clip` (batch, labels) float32 and, where
    the model has frame scores, `frame` (batch, steps, labels) float32. The batch is dynamic;
    normalisation and activation are inside.

    Raises:
        ConfigError: if the opset is too old.
    """
    if opset < OPSET:
        raise ConfigError(f"opset {opset} lacks operators of the model: expected {OPSET} or newer")
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    with _quiet(), torch.no_grad():
        torch.onnx.export(
            model,
            (torch.zeros(2, model.frames, model.mel_bins),),
            str(path),
            input_names=["fbank"],
            output_names=["clip", "frame"] if model.frame else ["clip"],
            opset_version=opset,
            dynamo=True,
            external_data=weights > LARGEST,
            dynamic_shapes={"fbank": {0: torch.export.Dim("batch", min=1, max=1024)}},
            verbose=False,
        )
    graph = onnx.load(path, load_external_data=False)  # which stays where it is
    forget_origin(graph)
    onnx.save(graph, path)


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
