"""A real bundle so small that its scores are known: two labels that follow two bands of sound."""

import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from ast_edge.frontend.fbank import FbankSpec
from ast_edge.model.bundle import FORMAT, FRONT_END
from ast_edge.model.label_settings import TrackerSettings
from ast_edge.model.spec import ModelSpec

RATE = 16_000
FRAMES = 98
"""0.995 s."""
BANDS = {"Hum": (9, 14, 200.0), "Hiss": (113, 118, 6000.0)}
"""Label: its first mel bin, its last, and the frequency of a tone between them in hertz."""
LABELS = tuple(BANDS)
OTHER_LABELS = ("Buzz", "Hum")
WIDTH = 128
"""Numbers in an embedding: the loudest of each mel bin in a window, the mean of each in a step."""
PATCH = 8
"""Frames in a step of the model with frame scores, 80 ms; its last 2 frames are in none."""


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


def step_scores(fbank: NDArray[np.float32]) -> NDArray[np.float64]:
    """Compute in NumPy the frame scores (batch, steps, labels): the mean of a band in each step."""
    steps = step_means(fbank)
    bands = np.stack([steps[..., low:high].mean(axis=2) for low, high, _ in _bands()], axis=2)
    return 1 / (1 + np.exp(-(bands + 4.0)))


def step_means(fbank: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compute in NumPy the embeddings (batch, steps, mels) of the steps."""
    whole = fbank[:, : FRAMES // PATCH * PATCH].reshape(len(fbank), -1, PATCH, fbank.shape[2])
    means: NDArray[np.float32] = whole.mean(axis=2)
    return means


def write_bundle(
    folder: Path, *, frame: bool = False, embedding: bool = False, **graph: Any
) -> Path:
    """Write the bundle, with frame scores and embeddings or without, and return its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(make_graph(frame=frame, embedding=embedding, **graph), folder / "model.onnx")
    tree = make_tree(folder, frame=frame)
    write_tree(folder, tree | {"embedding": WIDTH} if embedding else tree)
    return folder


def write_other_bundle(folder: Path) -> Path:
    """Write a bundle "other", in which what "bands" hears as Hum and Hiss is Buzz and Hum."""
    write_bundle(folder)
    tree = make_tree(folder) | {"name": "other"}
    for label, name in zip(tree["labels"], OTHER_LABELS, strict=True):
        label["name"] = name
    write_tree(folder, tree)
    return folder


def write_tree(folder: Path, tree: Any) -> None:
    """Write bundle.json."""
    (folder / "bundle.json").write_text(json.dumps(tree), encoding="utf-8")


def make_tree(folder: Path, *, frame: bool = False) -> dict[str, Any]:
    """Return what bundle.json says about the folder's graph."""
    settings = asdict(TrackerSettings(hold=0.5))
    patch = (16, PATCH) if frame else (16, 16)
    model = ModelSpec(
        labels=2, frames=FRAMES, width=6, depth=1, heads=1, patch=patch, frame_head=frame
    )
    if frame:
        model = replace(model, stride=patch)
    graph = (folder / "model.onnx").read_bytes()
    return {
        "format": FORMAT,
        "name": "bands",
        "fbank": {"kind": FRONT_END} | asdict(FbankSpec()),
        "members": [model.described()],
        "precision": "fp32",
        "frame": "head" if frame else "none",
        "clip_gate": False,
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
    frame: bool = False,
    steps: str = "frame",
    spread: float = 0.0,
    embedding: bool = False,
    burden: int = 0,
) -> onnx.ModelProto:
    """Build the graph: mean of a band, its maximum over time, and the sigmoid of that plus 4.

    With `frame` a second output, named `steps`, has the mean over each step instead. With
    `embedding` it gives those as well. With `spread` another product comes first, which makes so
    much of everything; the bands make it good. With `burden` it computes so much for nothing.
    """
    weights = np.zeros((mel_bins, labels), np.float32)
    for column, (low, high, _) in zip(range(labels), _bands(), strict=False):
        weights[low:high, column] = 1 / (high - low)
    constants = {
        "weights": weights,
        "time": np.array([1], np.int64),
        "bias": np.full(labels, 4.0, np.float32),
    }
    first = []
    if spread:
        constants["weights"] = weights / np.float32(spread)
        constants["spread"] = np.float32(spread) * np.eye(mel_bins, dtype=np.float32)
        first = [helper.make_node("MatMul", [name, "spread"], ["much"])]
    fed = "much" if spread else name
    if burden:
        constants["wide"] = np.full((mel_bins, 4096), 1e-6, np.float32)
        constants["narrow"] = np.full((4096, mel_bins), 1e-6, np.float32)
        for number in range(burden):
            first += [
                helper.make_node("MatMul", [fed, "wide"], [f"wide {number}"]),
                helper.make_node("MatMul", [f"wide {number}", "narrow"], [f"narrow {number}"]),
                helper.make_node("Add", [fed, f"narrow {number}"], [f"sum {number}"]),
            ]
            fed = f"sum {number}"
    nodes = [
        *first,
        helper.make_node("MatMul", [fed, "weights"], ["bands"]),
        helper.make_node("ReduceMax", ["bands", "time"], ["loudest"], keepdims=0),
        helper.make_node("Add", ["loudest", "bias"], ["logits"]),
        helper.make_node(squash, ["logits"], [output]),
    ]
    outputs = [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", labels])]
    if frame:
        count = FRAMES // PATCH
        constants |= {
            "first": np.array([0], np.int64),
            "last": np.array([count * PATCH], np.int64),
            "cut": np.array([0, count, PATCH, labels], np.int64),
            "within": np.array([2], np.int64),
        }
        nodes += [
            helper.make_node("Slice", ["bands", "first", "last", "time"], ["whole"]),
            helper.make_node("Reshape", ["whole", "cut"], ["patches"]),
            helper.make_node("ReduceMean", ["patches", "within"], ["means"], keepdims=0),
            helper.make_node("Add", ["means", "bias"], ["step logits"]),
            helper.make_node(squash, ["step logits"], [steps]),
        ]
        shape = ["batch", count, labels]
        outputs.append(helper.make_tensor_value_info(steps, TensorProto.FLOAT, shape))
    if embedding:
        nodes.append(helper.make_node("ReduceMax", [name, "time"], ["embedding"], keepdims=0))
        shape = ["batch", mel_bins]
        outputs.append(helper.make_tensor_value_info("embedding", TensorProto.FLOAT, shape))
    if embedding and frame:
        constants["parts"] = np.array([0, count, PATCH, mel_bins], np.int64)
        nodes += [
            helper.make_node("Slice", [name, "first", "last", "time"], ["all of it"]),
            helper.make_node("Reshape", ["all of it", "parts"], ["in steps"]),
            helper.make_node("ReduceMean", ["in steps", "within"], ["frame_embedding"], keepdims=0),
        ]
        shape = ["batch", count, mel_bins]
        outputs.append(helper.make_tensor_value_info("frame_embedding", TensorProto.FLOAT, shape))
    graph = helper.make_graph(
        nodes,
        "bands",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", FRAMES, mel_bins])],
        outputs,
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
