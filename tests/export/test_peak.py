import numpy as np
import onnx
import pytest

from ast_edge.engines.choice import open_engine
from ast_edge.engines.config import EngineConfig
from ast_export.flops import count_flops
from ast_export.peak import PEAK_FLOPS, peak_windows, write_peak


@pytest.fixture(scope="module", params=["fp32", "fp16"])
def products(request, tmp_path_factory):
    return write_peak(tmp_path_factory.mktemp("peak"), request.param)


def test_the_graph_has_the_flops_that_are_claimed(products):
    assert count_flops(products.onnx) == PEAK_FLOPS


def test_the_products_have_the_precision_that_is_asked_for(products):
    model = onnx.shape_inference.infer_shapes(onnx.load(products.onnx))
    types = {value.name: value.type.tensor_type.elem_type for value in model.graph.value_info}
    found = {types[n.output[0]] for n in model.graph.node if n.op_type == "MatMul"}
    dtype = {"fp32": np.float32, "fp16": np.float16}[products.precision]
    assert found == {onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))}


def test_those_of_an_int8_model_multiply_whole_numbers(tmp_path):
    graph = onnx.load(write_peak(tmp_path, "int8").onnx).graph
    whole = {n.output[0] for n in graph.node if n.op_type == "DequantizeLinear"}
    products = [node for node in graph.node if node.op_type == "MatMul"]
    assert products
    assert all(set(node.input) <= whole for node in products)


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_every_engine_runs_it_as_a_model_with_any_batch(products, engine):
    opened = open_engine(products, EngineConfig(name=engine, threads=1))
    assert opened.run(peak_windows(3)).clip.shape == (3, 1)


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_the_score_is_that_of_all_products_one_after_the_other(tmp_path, engine):
    products = write_peak(tmp_path, "fp32")
    model = onnx.load(products.onnx)
    values = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    matrix = peak_windows(1)[0] + values["row"]
    for _ in range(PEAK_FLOPS // (2 * len(matrix) ** 3)):
        matrix = matrix @ values["weights"]
    opened = open_engine(products, EngineConfig(name=engine, precision="fp32", threads=1))
    score = float(opened.run(peak_windows(1)).clip.item())
    assert np.log(score / (1 - score)) == pytest.approx(matrix.max(), abs=1e-2)
