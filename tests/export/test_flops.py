import shutil
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from rigs.training.checkpoints import random_checkpoint
from torch.utils.flop_counter import FlopCounterMode

from ast_edge.base.errors import BundleError
from ast_export.compression import compress_weights
from ast_export.flops import count_flops
from ast_export.graph import export_graph
from ast_export.merged import MergedModel


def counted(network, *shape):
    """What PyTorch counts for one window."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, *shape))
    return counter.get_total_flops()


def test_a_graph_has_the_flops_that_pytorch_counts_for_its_model(graph, checkpoint):
    model = MergedModel([checkpoint.build()])
    assert count_flops(graph) == counted(model, 64, 128)


def test_the_frame_head_and_all_tokens_of_the_last_block_count(
    framed_graph, framed_checkpoint, graph
):
    model = MergedModel([framed_checkpoint.build()])
    assert count_flops(framed_graph) == counted(model, 64, 128) > count_flops(graph)


def test_an_ensemble_has_the_flops_of_all_members(tmp_path, checkpoint):
    # The second looks at two windows of 48 frames that cover the 64 of the first.
    other = random_checkpoint(model=replace(checkpoint.model, frames=48, stride=(16, 10)))
    weights = {
        name: value[:, :1].expand(-1, other.model.tokens, -1) if "pos_embed" in name else value
        for name, value in checkpoint.weights.items()
    }
    model = MergedModel([checkpoint.build(), replace(other, weights=weights).build()])
    export_graph(model, tmp_path / "model.onnx")
    assert count_flops(tmp_path / "model.onnx") == counted(model, 64, 128)


@pytest.mark.parametrize("storage", ["fp16", "int8"])
def test_how_weights_are_stored_changes_nothing(graph, tmp_path, storage):
    path = shutil.copy(graph, tmp_path / "model.onnx")
    compress_weights(path, storage)
    assert count_flops(path) == count_flops(graph)


def test_the_file_of_the_weights_is_not_needed(graph, tmp_path):
    path = tmp_path / "model.onnx"
    onnx.save(onnx.load(graph), path, save_as_external_data=True, location="model.onnx.data")
    (tmp_path / "model.onnx.data").unlink()
    assert count_flops(path) == count_flops(graph)


# Graphs by hand


def save(path, node, weights, takes):
    """Write a graph of one node that reads `x` (batch, takes) and `w`, weights of that shape."""
    constant = numpy_helper.from_array(np.zeros(weights, np.float32), "w")
    graph = helper.make_graph(
        [node],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", *takes])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [constant],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, path)


@pytest.mark.parametrize(
    ("node", "network", "shape"),
    [
        (
            helper.make_node("Conv", ["x", "w"], ["y"], strides=[2, 1], group=2),
            torch.nn.Conv2d(4, 6, (3, 2), stride=(2, 1), groups=2, bias=False),
            (4, 9, 7),
        ),
        (
            helper.make_node("Gemm", ["x", "w"], ["y"], transB=1),
            torch.nn.Linear(5, 3, bias=False),
            (5,),
        ),
    ],
    ids=["Conv", "Gemm"],
)
def test_a_product_counts_as_in_pytorch(tmp_path, node, network, shape):
    save(tmp_path / "model.onnx", node, network.weight.shape, shape)
    assert count_flops(tmp_path / "model.onnx") == counted(network, *shape)


def test_a_transposed_first_factor_counts_the_same(tmp_path):
    save(tmp_path / "a.onnx", helper.make_node("Gemm", ["w", "x"], ["y"], transB=1), (3, 5), (5,))
    transposed = helper.make_node("Gemm", ["w", "x"], ["y"], transA=1, transB=1)
    save(tmp_path / "b.onnx", transposed, (5, 3), (5,))
    assert count_flops(tmp_path / "b.onnx") == count_flops(tmp_path / "a.onnx") > 0


def test_products_that_nothing_counts_are_refused(tmp_path):
    node = helper.make_node("Einsum", ["x", "w"], ["y"], equation="bi,ij->bj")
    save(tmp_path / "model.onnx", node, (4, 2), (4,))
    with pytest.raises(BundleError, match="got Einsum: its FLOP cannot be counted"):
        count_flops(tmp_path / "model.onnx")


def test_a_window_of_any_length_is_refused(tmp_path):
    save(tmp_path / "model.onnx", helper.make_node("MatMul", ["x", "w"], ["y"]), (4, 2), ("n", 4))
    with pytest.raises(BundleError, match="the shape of 'x' is not known"):
        count_flops(tmp_path / "model.onnx")
