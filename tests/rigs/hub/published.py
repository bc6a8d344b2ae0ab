"""A tiny AST of transformers with random weights, exported to ONNX as models for browsers are."""

import warnings
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rigs.exported import LABELS, MEAN, STD, described

FRAMES, MEL_BINS = 64, 32
SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_length": FRAMES,
    "num_mel_bins": MEL_BINS,
}


@cache
def model() -> Any:
    """Make the network of transformers."""
    import torch
    from transformers import ASTConfig, ASTForAudioClassification

    torch.manual_seed(0)
    names = dict(enumerate(LABELS))
    config = ASTConfig(
        **SIZES, id2label=names, label2id={n: i for i, n in names.items()}, initializer_range=0.2
    )
    return ASTForAudioClassification(config).eval().requires_grad_(False)


def probabilities(fbank: NDArray[np.float32]) -> NDArray[np.float64]:
    """Compute by transformers what it makes of fbanks that are not normalised yet."""
    import torch
    from transformers import ASTFeatureExtractor

    extractor = ASTFeatureExtractor(mean=MEAN, std=STD)
    logits = model()(torch.from_numpy(extractor.normalize(fbank))).logits
    return torch.sigmoid(logits.double()).numpy()


def export(path: Path, *, batch: bool = True, frames: bool = False) -> None:
    """Write the graph as optimum does, with the dimensions free that are asked for."""
    import torch

    class Logits(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model()

        def forward(self, input_values: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = self.model(input_values).logits
            return logits

    free = {0: "batch_size"} if batch else {}
    more = {1: "time"} if frames else {}
    with warnings.catch_warnings():  # of the exporter that published graphs were made with
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Logits(),
            (torch.zeros(2, FRAMES, MEL_BINS),),
            str(path),
            input_names=["input_values"],
            output_names=["logits"],
            dynamic_axes={"input_values": free | more, "logits": free},
            opset_version=14,
            dynamo=False,
        )


@cache
def files() -> dict[str, bytes]:
    """Return what is published: the graph in three precisions, and what belongs to it."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.transformers.float16 import convert_float_to_float16

    with TemporaryDirectory() as scratch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        folder = Path(scratch)
        export(folder / "model.onnx")
        quantize_dynamic(
            folder / "model.onnx", folder / "model_quantized.onnx", weight_type=QuantType.QInt8
        )
        half = convert_float_to_float16(onnx.load(folder / "model.onnx"), keep_io_types=True)
        onnx.save(half, folder / "model_fp16.onnx")
        graphs = {f"onnx/{path.name}": path.read_bytes() for path in folder.glob("*.onnx")}
    return graphs | described(model().config.to_dict(), FRAMES, MEL_BINS)
