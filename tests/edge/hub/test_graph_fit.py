"""Graphs that do not fit are refused, and nothing is installed."""

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed")
from onnx import TensorProto, helper

from ast_edge.base.errors import AstError
from ast_edge.model.installed import bundle_folders, installed_bundles


def rename_output(graph):
    graph.graph.node.append(helper.make_node("Identity", ["logits"], ["a"]))
    graph.graph.node.append(helper.make_node("Identity", ["logits"], ["b"]))
    graph.graph.output[0].name = "a"
    graph.graph.output.add().CopyFrom(graph.graph.output[0])
    graph.graph.output[1].name = "b"


def custom_operator(graph):
    node = next(node for node in graph.graph.node if node.op_type == "MatMul")
    node.domain = "org.example"
    graph.opset_import.append(helper.make_opsetid("org.example", 1))


def custom_operator_in_a_branch(graph):
    inner = helper.make_graph(
        [helper.make_node("Mine", [], ["y"], domain="org.example")],
        "g",
        [],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
    )
    graph.graph.node.append(
        helper.make_node("If", ["c"], ["z"], then_branch=inner, else_branch=inner)
    )


def fixed_batch(graph):
    graph.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1


def other_mel_bins(graph):
    graph.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 64


def whole_numbers(graph):
    graph.graph.input[0].type.tensor_type.elem_type = TensorProto.INT64


def another_input(graph):
    graph.graph.input.add().CopyFrom(graph.graph.input[0])
    graph.graph.input[1].name = "attention_mask"


def not_a_number(graph):
    for tensor in graph.graph.initializer:
        if tensor.name == "bias":
            tensor.raw_data = np.full(5, np.nan, np.float32).tobytes()
            return
    raise AssertionError("no bias")


def outside(location):
    def move(graph):
        tensor = graph.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        entry = tensor.external_data.add()
        entry.key, entry.value = "location", location

    return move


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (custom_operator, "operators that no engine here has: org.example::MatMul"),
        (custom_operator_in_a_branch, "operators that no engine here has: org.example::Mine"),
        (fixed_batch, "takes 1 windows at a time"),
        (
            other_mel_bins,
            r"expected one input \(any, 98, 128\).*, got input_values \(any, 98, 64\)",
        ),
        (whole_numbers, "expected one input"),
        (another_input, "expected one input.*attention_mask"),
        (rename_output, "expected one output logits"),
        (not_a_number, "expected probabilities clip .* got"),
        (outside("../../../etc/passwd"), "lies outside of its folder"),
        (outside("/etc/passwd"), "lies outside of its folder"),
        (outside("absent.onnx_data"), "takes weights from 'absent.onnx_data'"),
        (outside("bundle.json"), "which is another file"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_graph_that_does_not_fit_is_refused_and_nothing_is_installed(
    get, change_graph, edit, message
):
    change_graph(edit)
    with pytest.raises(AstError, match=message):
        get()
    assert not installed_bundles()
    assert not list(bundle_folders()[0].glob(".*"))
