import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed")
import onnx
from onnx import TensorProto, helper, numpy_helper
from rigs.model import FRAMES, make_graph, scores

from ast_edge.model.bundle import find_bundle
from ast_edge.model.onnx_graph import read_graph
from ast_edge.model.onnx_node import node
from ast_edge.model.onnx_weights import weights


@pytest.fixture
def path(tmp_path):
    onnx.save(make_graph(frame=True), tmp_path / "model.onnx")
    return tmp_path / "model.onnx"


def rewritten(path):
    read_graph(path).write(path.with_name("again.onnx"))
    return onnx.load(path.with_name("again.onnx"))


def test_a_graph_that_is_read_and_written_is_the_same(path):
    found = rewritten(path)
    assert found == onnx.load(path)


def test_the_shipped_graph_is_the_same_but_for_notes_on_types(tmp_path):
    before = onnx.load(find_bundle("home") / "model.onnx")
    read_graph(find_bundle("home") / "model.onnx").write(tmp_path / "again.onnx")
    after = onnx.load(tmp_path / "again.onnx")
    onnx.checker.check_model(after)
    del before.graph.value_info[:]
    assert after == before


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int64])
def test_weights_have_the_values_that_onnx_reads(dtype):
    values = np.arange(6, dtype=dtype).reshape(2, 3)
    made = weights("w", values)
    assert numpy_helper.to_array(TensorProto.FromString(bytes(made.content))).tolist() == (
        values.tolist()
    )
    assert made.values().tolist() == values.tolist()


def test_weights_that_stand_as_numbers_are_read(path):
    model = onnx.load(path)
    model.graph.initializer.append(helper.make_tensor("plain", TensorProto.FLOAT, [2], [0.5, 2]))
    onnx.save(model, path)
    assert read_graph(path).weights["plain"].values().tolist() == [0.5, 2.0]


def test_weights_beside_the_graph_come_into_it(path):
    model, options = onnx.load(path), {"location": "model.onnx.data", "size_threshold": 0}
    onnx.save(onnx.load(path), path, save_as_external_data=True, **options)
    again = rewritten(path)
    for one, other in zip(again.graph.initializer, model.graph.initializer, strict=True):
        assert np.array_equal(numpy_helper.to_array(one), numpy_helper.to_array(other))


def test_weights_of_a_kind_that_is_not_known_are_refused(path):
    model = onnx.load(path)
    model.graph.initializer.append(helper.make_tensor("b", TensorProto.BFLOAT16, [1], [1.0]))
    onnx.save(model, path)
    with pytest.raises(ValueError, match="unknown type"):
        read_graph(path).weights["b"].values()


def test_attributes_that_are_numbers_are_read():
    assert node("Softmax", ["x"], "y", axis=-1).whole("axis", 0) == -1
    assert node("Softmax", ["x"], "y").whole("axis", 7) == 7


def test_a_node_is_what_onnx_would_make_of_it():
    made = onnx.NodeProto.FromString(node("ReduceMean", ["x"], "y", axes=(1, 2)).encoded())
    assert made == helper.make_node("ReduceMean", ["x"], ["y"], axes=[1, 2])


def test_an_output_may_be_added(path):
    read_graph(path).with_output("logits", ("batch", 2)).write(path)
    onnx.checker.check_model(onnx.load(path))
    assert [one.name for one in onnx.load(path).graph.output] == ["clip", "frame", "logits"]


def test_what_no_output_needs_is_left_out(path):
    graph = read_graph(path)
    graph.outputs.pop("frame")
    graph.pruned().write(path)
    model = onnx.load(path)
    assert [one.name for one in model.graph.initializer] == ["weights", "time", "bias"]
    assert [one.op_type for one in model.graph.node] == ["MatMul", "ReduceMax", "Add", "Sigmoid"]


def test_what_a_branch_takes_from_outside_is_kept(path):
    model = onnx.load(path)
    outside = helper.make_node("Identity", ["bias"], ["inner"])
    port = helper.make_tensor_value_info("inner", TensorProto.FLOAT, [2])
    inner = helper.make_graph([outside], "g", [], [port])
    model.graph.node.append(
        helper.make_node("If", ["yes"], ["z"], then_branch=inner, else_branch=inner)
    )
    model.graph.output.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, [2]))
    del model.graph.output[0:2]
    onnx.save(model, path)
    graph = read_graph(path)
    assert graph.nodes[-1].captured == {"bias", "inner"}
    assert list(graph.pruned().weights) == ["bias"]


def test_nodes_are_put_in_order(path):
    model = onnx.load(path)
    kinds = [one.op_type for one in model.graph.node]
    for one in [*model.graph.node][::-1]:
        model.graph.node.remove(one)
        model.graph.node.append(one)
    onnx.save(model, path)
    assert [one.op_type for one in model.graph.node] == kinds[::-1]
    read_graph(path).write(path)
    onnx.checker.check_model(path)


def test_nodes_that_go_round_in_a_circle_are_refused(path):
    model = onnx.load(path)
    model.graph.node[0].input[0] = "clip"
    onnx.save(model, path)
    with pytest.raises(ValueError, match="cycle"):
        read_graph(path)


def test_a_node_may_lose_its_name():
    named = onnx.NodeProto(op_type="Softmax", name="mine", input=["x"], output=["y"])
    graph = node("Softmax", ["x"], "y", axis=1)
    changed = type(graph)("Softmax", ("x",), ("y",), rest=named.SerializeToString() + graph.rest)
    assert b"mine" not in changed.nameless().rest
    assert changed.nameless().whole("axis", 0) == 1


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"not a graph"], ids=repr)
def test_what_is_no_graph_is_refused(path, content):
    path.write_bytes(content)
    with pytest.raises((ValueError, IndexError)):
        read_graph(path)


def test_a_graph_that_is_cut_off_is_refused(path):
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises((ValueError, IndexError)):
        read_graph(path)


def test_it_computes_what_it_did(path):
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    read_graph(path).write(path)
    fbank = np.random.default_rng(0).normal(-8, 4, (2, FRAMES, 128)).astype(np.float32)
    session = onnxruntime.InferenceSession(path)
    assert session.run(["clip"], {"fbank": fbank})[0] == pytest.approx(scores(fbank), abs=1e-5)
