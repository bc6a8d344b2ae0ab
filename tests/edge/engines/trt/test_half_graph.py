import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed")
import onnx
from onnx import TensorProto, helper, numpy_helper, shape_inference
from rigs.model import make_graph

from ast_edge.engines.trt.half_graph import halve, with_ranges
from ast_edge.model.bundle import find_bundle
from ast_edge.model.onnx_graph import read_graph

FLOAT, HALF = TensorProto.FLOAT, TensorProto.FLOAT16


def turned(path):
    """Return the graph in float16 as `onnx` reads it, and the types of all tensors in it."""
    halve(read_graph(path)).graph.write(path.with_name("half.onnx"))
    onnx.checker.check_model(path.with_name("half.onnx"))
    model = shape_inference.infer_shapes(
        onnx.load(path.with_name("half.onnx")), strict_mode=True, data_prop=True
    )
    types = {one.name: one.type.tensor_type.elem_type for one in model.graph.value_info}
    types |= {one.name: one.type.tensor_type.elem_type for one in model.graph.output}
    types |= {one.name: one.data_type for one in model.graph.initializer}
    return model, types


def types_of(model, types, kind):
    return [types[one.output[0]] for one in model.graph.node if one.op_type == kind]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    path = tmp_path_factory.mktemp("home") / "model.onnx"
    path.write_bytes((find_bundle("home") / "model.onnx").read_bytes())
    return turned(path)


def test_all_products_but_those_of_the_heads_are_in_float16(home):
    products = types_of(*home, "MatMul") + types_of(*home, "Conv") + types_of(*home, "Gemm")
    assert products.count(FLOAT) == 3  # the clip's and the frames', and the bands of the stem
    assert products.count(HALF) == 171


@pytest.mark.parametrize("kind", ["LayerNormalization", "Softmax", "Sigmoid", "ReduceMean"])
def test_norms_softmax_means_and_activation_stay_in_float32(home, kind):
    assert set(types_of(*home, kind)) == {FLOAT}


def test_the_residual_sums_stay_in_float32_and_biases_and_gelu_do_not(home):
    model, types = home
    sums = types_of(model, types, "Add")
    # Two of each block, the class tokens, a head's bias; pictures and tokens of the stem.
    assert sums.count(FLOAT) == 24 + 1 + 1 + 5
    assert set(types_of(model, types, "Erf")) == {HALF}


def test_weights_are_stored_in_float16_once(home):
    model, _ = home
    large = [one for one in model.graph.initializer if np.prod(one.dims) > 10_000]
    assert {one.data_type for one in large if "mlp_head" not in one.name} == {HALF}
    numbers = sum(np.prod(one.dims) for one in model.graph.initializer)
    assert model.ByteSize() < 2.3 * numbers


def test_input_and_outputs_stay_in_float32(home):
    model, types = home
    assert model.graph.input[0].type.tensor_type.elem_type == FLOAT
    assert {types[one.name] for one in model.graph.output} == {FLOAT}


def test_a_graph_of_a_head_alone_has_nothing_to_turn(tmp_path):
    onnx.save(make_graph(frame=True), tmp_path / "model.onnx")
    assert halve(read_graph(tmp_path / "model.onnx")) is None


def test_weights_beyond_float16_are_refused(tmp_path):
    onnx.save(make_graph(spread=1e5), tmp_path / "model.onnx")
    with pytest.raises(ValueError, match=r"weights 'spread' reach 1e\+05, beyond the 65504"):
        halve(read_graph(tmp_path / "model.onnx"))


@pytest.mark.parametrize("stored", ["float16", "int8", "identity", "computed"])
def test_weights_that_are_stored_in_another_way_are_what_they_were(tmp_path, stored):
    model = make_graph(spread=2.0)
    tensors = {one.name: one for one in model.graph.initializer}
    spread = numpy_helper.to_array(tensors["spread"])
    model.graph.initializer.remove(tensors["spread"])
    extra = {"s": np.array([2 / 127] * 128, np.float32), "z": np.zeros(128, np.int8)}
    ways = {
        "float16": ({"w": spread.astype(np.float16)}, "Cast", ["w"], {"to": FLOAT}),
        "int8": (
            extra | {"w": np.rint(spread * 63.5).astype(np.int8)},
            *("DequantizeLinear", ["w", "s", "z"], {"axis": 1}),
        ),
        "identity": ({"w": spread}, "Identity", ["w"], {}),
        "computed": ({"w": spread}, "Transpose", ["w"], {}),
    }
    values, kind, inputs, attributes = ways[stored]
    model.graph.initializer.extend(numpy_helper.from_array(v, n) for n, v in values.items())
    model.graph.node.insert(0, helper.make_node(kind, inputs, ["spread"], **attributes))
    onnx.save(model, tmp_path / "model.onnx")
    half, types = turned(tmp_path / "model.onnx")
    assert types_of(half, types, "MatMul") == [HALF, FLOAT]
    made = {one.name: one for one in half.graph.initializer}
    if stored == "computed":
        assert [one.op_type for one in half.graph.node[:2]] == ["Transpose", "Cast"]
    else:
        assert np.array_equal(numpy_helper.to_array(made["spread::half"]), spread)
        assert "w" not in made


def test_what_a_branch_takes_stays_in_float32(tmp_path):
    model = make_graph(spread=2.0)
    port = helper.make_tensor_value_info("inner", FLOAT, ["batch", 98, 128])
    inner = helper.make_graph([helper.make_node("Abs", ["much"], ["inner"])], "g", [], [port])
    model.graph.initializer.append(numpy_helper.from_array(np.array(True), "yes"))
    model.graph.node.append(
        helper.make_node("If", ["yes"], ["z"], then_branch=inner, else_branch=inner)
    )
    model.graph.output.append(helper.make_tensor_value_info("z", FLOAT, ["batch", 98, 128]))
    onnx.save(model, tmp_path / "model.onnx")
    _, types = turned(tmp_path / "model.onnx")
    assert (types["much::half"], types["much"]) == (HALF, FLOAT)


def test_the_largest_magnitude_is_an_output(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    onnx.save(make_graph(spread=3.0), tmp_path / "model.onnx")
    graph = read_graph(tmp_path / "model.onnx")
    with_ranges(graph, ("fbank", "much"), "peak").write(tmp_path / "ranges.onnx")
    fbank = np.full((2, 98, 128), -1.0, np.float32)
    fbank[1, 5, 7] = -20.0
    session = onnxruntime.InferenceSession(tmp_path / "ranges.onnx")
    assert float(session.run(["peak"], {"fbank": fbank})[0]) == 60.0
