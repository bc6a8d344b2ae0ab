import pytest

pytest.importorskip("onnx", reason="onnx is not installed")
import onnx
from onnx import TensorProto, helper
from rigs.model import make_graph

from ast_edge.base.errors import BundleError
from ast_edge.model.bundle import find_bundle
from ast_edge.model.onnx_file import external_files


def outside(location):
    """Make a tensor that lies in another file."""
    tensor = TensorProto(name="weights", data_type=TensorProto.FLOAT, dims=[1])
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("offset", "0"), ("location", location), ("length", "4")):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    return tensor


def graph_of(tensor):
    return helper.make_graph([], "g", [], [], [tensor])


@pytest.fixture
def found(tmp_path):
    def found(model):
        onnx.save(model, tmp_path / "model.onnx")
        return external_files(tmp_path / "model.onnx")

    return found


def test_a_graph_in_one_file_names_no_other(found):
    assert found(make_graph()) == set()


def test_the_shipped_model_names_no_other():
    assert external_files(find_bundle("home") / "model.onnx") == set()


def test_weights_beside_the_graph_are_named(found):
    model = make_graph()
    model.graph.initializer.append(outside("weights.bin"))
    assert found(model) == {"weights.bin"}


def test_weights_are_found_wherever_a_tensor_can_be(found):
    model = make_graph()
    model.graph.initializer.append(outside("initializer"))
    sparse = model.graph.sparse_initializer.add()
    sparse.values.CopyFrom(outside("sparse values"))
    sparse.indices.CopyFrom(outside("sparse indices"))
    constant = helper.make_node("Constant", [], ["c"], value=outside("constant"))
    tensors = helper.make_node("X", [], ["x"])
    attribute = tensors.attribute.add(name="list", type=onnx.AttributeProto.TENSORS)
    attribute.tensors.append(outside("list"))
    branch = graph_of(outside("branch"))
    branch.node.append(helper.make_node("Y", [], ["y"], graphs=[graph_of(outside("loop"))]))
    model.graph.node.extend([constant, tensors, helper.make_node("If", [], ["z"], then=branch)])
    function = model.functions.add(name="f", domain="d")
    function.node.append(helper.make_node("Constant", [], ["c"], value=outside("function")))
    model.training_info.add().algorithm.CopyFrom(graph_of(outside("training")))
    assert found(model) == {
        *("initializer", "sparse values", "sparse indices", "constant", "list", "branch", "loop"),
        *("function", "training"),
    }


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x3a\xff\xff\xff\xff\x0f",
        b"\xff" * 20,
        b"\x3b",
        b"\x38",
        b"\x3d\x00",
        b"\x3a\x02\x3a",
    ],
    ids=["empty", "too long", "endless number", "group", "no value", "cut off", "cut off inside"],
)
def test_what_is_no_graph_is_refused(tmp_path, content):
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(BundleError, match="expected an ONNX graph"):
        external_files(tmp_path / "model.onnx")


def test_a_graph_within_a_graph_for_ever_is_refused(tmp_path):
    content = b""
    for level in range(400):
        tag = (b"\x3a", b"\x0a", b"\x2a", b"\x32")[0 if level == 399 else 1 + (398 - level) % 3]
        size = len(content)
        content = tag + bytes([size & 0x7F | 0x80, size >> 7]) + content
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(BundleError, match="nested too deeply"):
        external_files(tmp_path / "model.onnx")
