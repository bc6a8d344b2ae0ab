import pytest

pytest.importorskip("onnx", reason="onnx is not installed")
import onnx
from onnx import TensorProto, helper
from rigs.model import FRAMES, make_graph

from ast_edge.base.errors import BundleError
from ast_edge.hub.outline import Port, read_outline
from ast_edge.model.bundle import find_bundle


@pytest.fixture
def outline(tmp_path):
    def outline(graph):
        path = tmp_path / "model.onnx"
        path.write_bytes(graph if isinstance(graph, bytes) else graph.SerializeToString())
        return read_outline(path)

    return outline


def test_inputs_and_outputs_are_read_with_types_and_sizes(outline):
    found = outline(make_graph(frame=True))
    assert found.inputs == (Port("fbank", "float32", (None, FRAMES, 128)),)
    assert found.outputs == (
        Port("clip", "float32", (None, 2)),
        Port("frame", "float32", (None, FRAMES // 8, 2)),
    )


def test_what_makes_an_output_is_known(outline):
    assert outline(make_graph()).makers == {"clip": "Sigmoid"}
    assert outline(make_graph(squash="Identity")).makers == {"clip": "Identity"}


def test_weights_that_old_graphs_list_as_inputs_are_none(outline):
    graph = make_graph()
    weights = graph.graph.initializer[0]
    listed = helper.make_tensor_value_info(weights.name, TensorProto.FLOAT, weights.dims)
    graph.graph.input.append(listed)
    assert [port.name for port in outline(graph).inputs] == ["fbank"]


def test_no_size_and_a_negative_one_are_any_size(outline):
    graph = make_graph()
    sizes = graph.graph.input[0].type.tensor_type.shape.dim
    sizes[0].Clear()
    sizes[1].dim_value = -1
    assert outline(graph).inputs[0].shape == (None, None, 128)


def test_a_shape_may_be_missing(outline):
    graph = make_graph()
    graph.graph.output[0].type.tensor_type.ClearField("shape")
    assert outline(graph).outputs == (Port("clip", "float32", None),)


def test_operators_that_the_file_defines_are_not_strange(outline):
    graph = make_graph()
    graph.graph.node[0].domain = "mine"
    assert outline(graph).strange == ("mine::MatMul",)
    graph.functions.add(name="MatMul", domain="mine")
    assert outline(graph).strange == ()


def test_strange_operators_of_a_function_are_found(outline):
    graph = make_graph()
    function = graph.functions.add(name="f", domain="mine")
    function.node.append(helper.make_node("Hidden", [], ["x"], domain="org.example"))
    assert outline(graph).strange == ("org.example::Hidden",)


def test_the_shipped_graph_has_standard_operators_only():
    assert read_outline(find_bundle("home") / "model.onnx").strange == ()


@pytest.mark.parametrize("content", [b"", b"<html>", b"\x08\x08", b"\x3a\x7f"], ids=str)
def test_what_is_no_graph_is_refused(outline, content):
    with pytest.raises(BundleError, match="expected an ONNX graph"):
        outline(content)


def test_graphs_in_graphs_without_an_end_are_refused(outline):
    inner = helper.make_graph([], "g", [], [])
    for _ in range(25):
        inner = helper.make_graph(
            [helper.make_node("If", ["c"], [], then_branch=inner)], "g", [], []
        )
    model = onnx.ModelProto()
    model.graph.CopyFrom(inner)
    with pytest.raises(BundleError, match="nested too deeply"):
        outline(model)
