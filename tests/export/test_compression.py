import shutil

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

import ast_export.compression as compression
from ast_export.compression import SMALLEST, compress_weights


def windows(batch):
    """Features in the range of real ones (batch, frames, mels)."""
    rng = np.random.default_rng(batch)
    return rng.normal(-7, 5, (batch, 64, 128)).astype(np.float32)


def run(path, fbank):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(["clip"], {"fbank": fbank})[0]


@pytest.fixture(scope="module")
def expected(checkpoint):
    with torch.inference_mode():
        return checkpoint.build().probabilities(torch.from_numpy(windows(5))).numpy()


@pytest.fixture
def compressed(graph, tmp_path, request):
    path = shutil.copy(graph, tmp_path / "model.onnx")
    compress_weights(path, request.param)
    return path


@pytest.mark.parametrize(
    ("compressed", "of_matrices"), [("fp16", 2), ("int8", 3)], indirect=["compressed"]
)
def test_the_file_shrinks_by_bytes_per_weight(checkpoint, graph, compressed, of_matrices):
    saved = sum(
        weights.numel() * (of_matrices if weights.ndim == 2 else 2)
        for weights in checkpoint.weights.values()
        if weights.numel() >= SMALLEST
    )
    shrunk = graph.stat().st_size - compressed.stat().st_size
    assert shrunk == pytest.approx(saved, rel=0.1)


@pytest.mark.parametrize(
    ("compressed", "limit"), [("fp16", 1e-2), ("int8", 5e-2)], indirect=["compressed"]
)
def test_answers_stay_within_the_limit(compressed, limit, expected):
    assert 0 < np.abs(run(compressed, windows(5)) - expected).max() <= limit


@pytest.mark.parametrize("compressed", ["fp32"], indirect=True)
def test_fp32_leaves_the_file_as_it_is(compressed, graph):
    assert compressed.read_bytes() == graph.read_bytes()


@pytest.mark.parametrize("compressed", ["fp16", "int8"], indirect=True)
def test_small_tensors_stay_float32(compressed):
    kinds = {onnx.TensorProto.FLOAT16, onnx.TensorProto.INT8}
    fewer = [t for t in onnx.load(compressed).graph.initializer if t.data_type in kinds]
    assert fewer
    assert all(np.prod(tensor.dims) >= 1024 for tensor in fewer)


@pytest.mark.parametrize("compressed", ["fp16"], indirect=True)
def test_half_weights_are_cast_before_they_are_read(compressed):
    graph = onnx.load(compressed).graph
    halves = {t.name for t in graph.initializer if t.data_type == onnx.TensorProto.FLOAT16}
    assert halves <= {node.input[0] for node in graph.node if node.op_type == "Cast"}


@pytest.mark.parametrize("compressed", ["int8"], indirect=True)
def test_every_matrix_product_with_weights_reads_int8(compressed):
    graph = onnx.load(compressed).graph
    whole = {n.output[0] for n in graph.node if n.op_type == "DequantizeLinear"}
    made = {name for node in graph.node for name in node.output}
    products = [n.input[1] for n in graph.node if n.op_type == "MatMul"]
    assert whole <= set(products)
    assert {name for name in products if name in made and name not in whole}.isdisjoint(
        {t.name for t in graph.initializer}
    )


def test_weights_too_large_for_one_file_lie_beside_it(graph, tmp_path, monkeypatch, expected):
    monkeypatch.setattr(compression, "LARGEST", 1000)
    path = shutil.copy(graph, tmp_path / "model.onnx")
    compress_weights(path, "fp16")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.onnx", "model.onnx.data"]
    assert np.abs(run(path, windows(5)) - expected).max() <= 1e-2
