"""Scores of graphs in int8 on processors whose fast sums of int8 products saturate."""

import logging

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
import onnx
from onnx import TensorProto, helper, numpy_helper
from rigs.model import FRAMES, make_tree, write_tree

from ast_edge.engines import onnxruntime as onnxruntime_module
from ast_edge.engines import openvino as openvino_module
from ast_edge.engines import processor
from ast_edge.engines.choice import open_engine
from ast_edge.engines.config import EngineConfig
from ast_edge.engines.openvino import OpenVinoEngine
from ast_edge.engines.processor import int8_saturates
from ast_edge.model.bundle import load_bundle

SCALE = np.float32(10 / 127)
SHARE, BIAS = 1 / 200, -63.5
EXACT = EngineConfig(name="openvino", precision="fp32")


def windows():
    """Sound so loud that two of its products with the weights have no room in 16 bits."""
    return np.random.default_rng(0).uniform(5, 10, (3, FRAMES, 128)).astype(np.float32)


def expected(fbank):
    """What the graph says: whole numbers, added up without any limit."""
    whole = np.rint(fbank / SCALE).clip(-128, 127).sum(2).max(1)
    clip = 1 / (1 + np.exp(-(whole * SHARE + BIAS)))
    return np.stack([clip, clip], axis=1)


def static():
    """Quantize as `ast-export onnx --precision int8` does."""
    constants = {
        "scale": SCALE,
        "zero": np.int8(0),
        "weights": np.full((128, 2), 127, np.int8),
        "scales": np.full(2, SHARE / 127 / SCALE, np.float32),
        "zeros": np.zeros(2, np.int8),
    }
    nodes = [
        helper.make_node("QuantizeLinear", ["fbank", "scale", "zero"], ["whole"]),
        helper.make_node("DequantizeLinear", ["whole", "scale", "zero"], ["fed"]),
        helper.make_node("DequantizeLinear", ["weights", "scales", "zeros"], ["w"], axis=1),
        helper.make_node("MatMul", ["fed", "w"], ["sums"]),
    ]
    return nodes, constants


def dynamic():
    """Quantize as published graphs do, while it runs; 0 to 255 is 0 to 10 here."""
    constants = {
        "scale": SCALE,
        "zero": np.uint8(128),
        "weights": np.full((128, 2), 127, np.int8),
        "weights zero": np.int8(0),
        "share": np.float32(SHARE / 127),
    }
    nodes = [
        helper.make_node("QuantizeLinear", ["fbank", "scale", "zero"], ["whole"]),
        helper.make_node(
            "MatMulInteger", ["whole", "weights", "zero", "weights zero"], ["whole sums"]
        ),
        helper.make_node("Cast", ["whole sums"], ["cast"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["cast", "share"], ["sums"]),
    ]
    return nodes, constants


@pytest.fixture(params=[static, dynamic])
def bundle(request, tmp_path):
    nodes, constants = request.param()
    constants |= {"time": np.array([1], np.int64), "bias": np.float32(BIAS)}
    nodes += [
        helper.make_node("ReduceMax", ["sums", "time"], ["loudest"], keepdims=0),
        helper.make_node("Add", ["loudest", "bias"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["clip"]),
    ]
    graph = helper.make_graph(
        nodes,
        "int8",
        [helper.make_tensor_value_info("fbank", TensorProto.FLOAT, ["batch", FRAMES, 128])],
        [helper.make_tensor_value_info("clip", TensorProto.FLOAT, ["batch", 2])],
        [numpy_helper.from_array(np.asarray(value), key) for key, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", 18)]
    onnx.save(
        helper.make_model(graph, opset_imports=opsets, ir_version=10), tmp_path / "model.onnx"
    )
    write_tree(tmp_path, make_tree(tmp_path) | {"precision": "int8"})
    return load_bundle(tmp_path)


@pytest.mark.parametrize("config", [EXACT, EngineConfig(name="onnxruntime")], ids=lambda c: c.name)
def test_sums_do_not_saturate(bundle, config):
    engine = open_engine(bundle, config)
    found = engine.run(windows()).clip
    engine.close()
    assert 0.05 < expected(windows()).min() < expected(windows()).max() < 0.95
    assert found == pytest.approx(expected(windows()), abs=1e-4)


def test_openvino_says_that_it_multiplies_no_int8_where_that_saturates(bundle, monkeypatch):
    said = {}
    for saturates in (False, True):
        monkeypatch.setattr(openvino_module, "int8_saturates", lambda answer=saturates: answer)
        engine = OpenVinoEngine(bundle, EXACT)
        said[saturates] = engine.description
        engine.close()
    assert "int8 and fp32" in said[False]
    assert "int8" not in said[True]


def test_an_openvino_that_cannot_be_kept_from_it_says_what_to_do(bundle, monkeypatch, caplog):
    monkeypatch.setattr(openvino_module, "int8_saturates", lambda: True)
    monkeypatch.setattr(openvino_module, "INT8", "NO_SUCH_SETTING")
    with caplog.at_level(logging.WARNING):
        engine = OpenVinoEngine(bundle, EXACT)
    engine.close()
    (said,) = caplog.messages
    assert "no VNNI" in said
    assert "take the model in fp32 or fp16, or set engine.name: onnxruntime" in said


@pytest.mark.parametrize(
    ("machine", "flags", "saturates"),
    [
        ("x86_64", "fpu avx2 avx512f", True),
        ("x86_64", "fpu avx2 avx512f avx512_vnni", False),
        ("x86_64", "fpu avx2 avx_vnni", False),
        ("AMD64", "fpu sse4_1", True),
        ("aarch64", "", False),
    ],
)
def test_x86_saturates_unless_it_has_vnni(monkeypatch, tmp_path, machine, flags, saturates):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"processor\t: 0\nflags\t\t: {flags}\n\nprocessor\t: 1\nflags\t\t: other\n")
    monkeypatch.setattr(processor, "CPUINFO", cpuinfo)
    monkeypatch.setattr(processor.platform, "machine", lambda: machine)
    assert int8_saturates.__wrapped__() is saturates


def test_x86_that_says_nothing_of_itself_is_not_trusted(monkeypatch, tmp_path):
    monkeypatch.setattr(processor, "CPUINFO", tmp_path / "none")
    monkeypatch.setattr(processor.platform, "machine", lambda: "x86_64")
    assert int8_saturates.__wrapped__()


def test_vnni_is_used_where_it_is(bundle, monkeypatch):
    asked = []

    class Options(onnxruntime_module.onnxruntime.SessionOptions):
        def add_session_config_entry(self, key, value):
            asked.append(key)
            super().add_session_config_entry(key, value)

    monkeypatch.setattr(onnxruntime_module.onnxruntime, "SessionOptions", Options)
    for saturates in (False, True):
        monkeypatch.setattr(onnxruntime_module, "int8_saturates", lambda answer=saturates: answer)
        onnxruntime_module.open_session(bundle.onnx, 1)
        assert ("session.x64quantprecision" in asked) is saturates


def test_an_onnxruntime_that_cannot_be_exact_computes_and_says_what_to_do(
    bundle, monkeypatch, caplog
):
    plain = onnxruntime_module._session

    def stubborn(path, threads, *, exact):
        if exact:
            raise ValueError("Attempt to replace the existing tensor")
        return plain(path, threads, exact=exact)

    monkeypatch.setattr(onnxruntime_module, "_session", stubborn)
    monkeypatch.setattr(onnxruntime_module, "int8_saturates", lambda: True)
    onnxruntime_module.open_session(bundle.onnx, 1)
    (said,) = caplog.messages
    assert "no VNNI" in said
    assert "take the model in fp32 or fp16" in said
