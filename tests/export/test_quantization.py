import shutil

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

import ast_export.compression as compression
from ast_edge.base.errors import ConfigError
from ast_export.compression import save_graph
from ast_export.flops import count_flops
from ast_export.parity import LIMITS
from ast_export.quantization import quantize_products


def windows(batch):
    """Features in the range of real ones (batch, frames, mels)."""
    rng = np.random.default_rng(batch)
    return rng.normal(-7, 5, (batch, 64, 128)).astype(np.float32)


def run(model, fbank, outputs):
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(outputs, {"fbank": fbank})


@pytest.fixture(scope="module")
def plain(graph):
    return onnx.load(graph)


@pytest.fixture(scope="module")
def path(graph, tmp_path_factory):
    path = shutil.copy(graph, tmp_path_factory.mktemp("int8") / "model.onnx")
    quantize_products(path, windows(32))
    return path


@pytest.fixture(scope="module")
def quantized(path):
    return onnx.load(path)


def products_with_weights(model):
    weights = {tensor.name for tensor in model.graph.initializer}
    products = [node for node in model.graph.node if node.op_type == "MatMul"]
    return {node.name for node in products if node.input[1] in weights}


def inputs_of(model, name):
    """Return what makes the two numbers that a product multiplies."""
    made = {output: node for node in model.graph.node for output in node.output}
    product = next(node for node in model.graph.node if node.name == name)
    return [made[value] for value in product.input[:2] if value in made]


def values(model, name):
    return numpy_helper.to_array(next(t for t in model.graph.initializer if t.name == name))


def test_every_layer_multiplies_int8_and_neither_attention_nor_the_head_does(plain, quantized):
    whole = {
        node.name
        for node in quantized.graph.node
        if node.op_type in ("MatMul", "Gemm")
        and [made.op_type for made in inputs_of(quantized, node.name)] == ["DequantizeLinear"] * 2
    }
    assert whole == products_with_weights(plain) != set()
    for name in whole:
        for node in inputs_of(quantized, name):
            zero = values(quantized, node.input[2])
            assert zero.dtype == np.int8
            assert not zero.any()


def test_a_scale_reaches_to_the_largest_number_that_is_met(plain, quantized):
    names = sorted(products_with_weights(plain))
    read = {n.name: n.input[0] for n in plain.graph.node if n.name in names}
    seen = onnx.ModelProto()
    seen.CopyFrom(plain)
    for value in sorted(set(read.values())):
        seen.graph.output.append(helper.make_tensor_value_info(value, TensorProto.FLOAT, None))
    met = dict(zip(read, run(seen, windows(32), list(read.values())), strict=True))
    for name in names:
        scale = values(quantized, inputs_of(quantized, name)[0].input[1])
        assert scale == pytest.approx(np.abs(met[name]).max() / 127, rel=0.02)


def test_answers_change_within_the_limit(checkpoint, quantized):
    with torch.inference_mode():
        expected = checkpoint.build().probabilities(torch.from_numpy(windows(5))).numpy()
    found = run(quantized, windows(5), ["clip"])[0]
    assert 0 < np.abs(found - expected).max() <= LIMITS["int8"]


def test_the_operations_that_are_counted_stay_the_same(graph, path):
    assert count_flops(path) == count_flops(graph)


def test_a_graph_with_weights_beside_it_is_refused(plain, tmp_path, monkeypatch):
    monkeypatch.setattr(compression, "LARGEST", 1000)
    parted = onnx.ModelProto()
    parted.CopyFrom(plain)
    save_graph(parted, tmp_path / "model.onnx")
    with pytest.raises(ConfigError, match="up to 2 GB; use --precision fp16"):
        quantize_products(tmp_path / "model.onnx", windows(1))
