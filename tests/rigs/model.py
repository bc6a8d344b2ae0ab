"""A real bundle so small that its scores are known: two labels that follow two bands of sound."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from ast_edge.bundle import FORMAT, FRONT_END
from ast_edge.fbank import FbankSpec
from ast_edge.spec import ModelSpec
from ast_edge.tracker import TrackerSettings

RATE = 16_000
FRAMES = 98
"""0.995 s."""
BANDS = {"Hum": (9, 14, 200.0), "Hiss": (113, 118, 6000.0)}
"""Label: its first mel bin, its last, and the frequency of a tone between them in hertz."""
LABELS = tuple(BANDS)


def tone(label: str, seconds: float, rate: int = RATE) -> NDArray[np.float32]:
    """Return a sound (samples,) that the model takes for the label, above 0.9."""
    phase = 2 * np.pi * BANDS[label][2] * np.arange(round(seconds * rate)) / rate
    return (0.5 * np.sin(phase)).astype(np.float32)


def silence(seconds: float, rate: int = RATE) -> NDArray[np.float32]:
    """Return a sound in which the model hears nothing, below 0.01."""
    return np.zeros(round(seconds * rate), np.float32)


def scores(fbank: NDArray[np.float32]) -> NDArray[np.float64]:
    """Compute in NumPy what the graph computes."""
    bands = np.stack([fbank[..., low:high].mean(axis=2).max(axis=1) for low, high, _ in _bands()])
    return 1 / (1 + np.exp(-(bands.T + 4.0)))


def write_bundle(folder: Path, **graph: Any) -> Path:
    """Write the bundle with `make_graph(**graph)` and return its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(make_graph(**graph), folder / "model.onnx")
    write_tree(folder, make_tree(folder))
    return folder


def write_tree(folder: Path, tree: Any) -> None:
    """Write bundle.json."""
    (folder / "bundle.json").write_text(json.dumps(tree), encoding="utf-8")


def make_tree(folder: Path) -> dict[str, Any]:
    """Return what bundle.json says about the folder's graph."""
    settings = asdict(TrackerSettings(hold=0.5))
    model = ModelSpec(labels=2, frames=FRAMES, width=6, depth=1, heads=1)
    graph = (folder / "model.onnx").read_bytes()
    return {
        "format": FORMAT,
        "name": "bands",
        "fbank": {"kind": FRONT_END} | asdict(FbankSpec()),
        "members": [asdict(model)],
        "precision": "fp32",
        "labels": [{"name": name, "mid": "", "settings": settings} for name in LABELS],
        "metrics": {"macro_ap": 1.0},
        "licence": "CC0",
        "files": {"model.onnx": hashlib.sha256(graph).hexdigest()},
    }


def make_graph(
    *,
    name: str = "fbank",
    output: str = "clip",
    labels: int = 2,
    mel_bins: int = 128,
    squash: str = "Sigmoid",
) -> onnx.ModelProto:
    """Build the graph: mean of a band, its maximum over time, and the sigmoid of that plus 4."""
    weights = np.zeros((mel_bins, labels), np.float32)
    for column, (low, high, _) in zip(range(labels), _bands(), strict=False):
        weights[low:high, column] = 1 / (high - low)
    constants = {
        "weights": weights,
        "time": np.array([1], np.int64),
        "bias": np.full(labels, 4.0, np.float32),
    }
    nodes = [
        helper.make_node("MatMul", [name, "weights"], ["bands"]),
        helper.make_node("ReduceMax", ["bands", "time"], ["loudest"], keepdims=0),
        helper.make_node("Add", ["loudest", "bias"], ["logits"]),
        helper.make_node(squash, ["logits"], [output]),
    ]
    graph = helper.make_graph(
        nodes,
        "bands",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", FRAMES, mel_bins])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", labels])],
        [numpy_helper.from_array(value, key) for key, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", 18)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def external_graph(location: str) -> bytes:
    """Return a graph whose weights lie in another file."""
    graph = make_graph()
    weights = graph.graph.initializer[0]
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    entry = weights.external_data.add()
    entry.key, entry.value = "location", location
    return bytes(graph.SerializeToString())


def _bands() -> list[tuple[int, int, float]]:
    return list(BANDS.values())
