import json
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed")
import onnx
from rigs.full_disk import files_end_at
from rigs.model import make_graph, make_tree, scores, write_bundle, write_tree

from ast_edge.engines.agreement import shipped_windows
from ast_edge.engines.choice import open_engine
from ast_edge.engines.config import EngineConfig
from ast_edge.engines.trt import half_bundle as module
from ast_edge.engines.trt.half_bundle import HalfRefused, NothingToHalve, half_bundle
from ast_edge.model.bundle import load_bundle


@pytest.fixture
def deep(tmp_path):
    return load_bundle(write_bundle(tmp_path / "deep", spread=2.0))


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def test_the_report_says_how_near_it_is_on_real_sound(deep, cache):
    _, report = half_bundle(deep, cache)
    assert report.windows == 6
    peak = 2 * np.abs(shipped_windows(deep.fbank, deep.frames)).max()
    assert report.range == pytest.approx(peak, rel=1e-3)
    assert 0 <= report.difference < 1e-2
    assert "values up to" in str(report)
    assert "differs by" in str(report)


def test_the_scores_are_those_of_the_bundle(deep, cache):
    half, _ = half_bundle(deep, cache)
    assert (half.precision, half.name, half.labels) == ("fp16", deep.name, deep.labels)
    fbank = shipped_windows(deep.fbank, deep.frames)
    engine = open_engine(half, EngineConfig(name="openvino", precision="fp32"))
    assert engine.run(fbank).clip == pytest.approx(scores(fbank), abs=1e-2)


def test_the_default_bundle_is_near_to_itself(home, cache):
    half, report = half_bundle(home, cache)
    assert half.onnx.stat().st_size < 1.1 * home.onnx.stat().st_size  # which stores float16, too
    assert report.difference < 1e-2
    assert report.range < 1000


def test_convolutions_that_stray_stay_in_float32(home, cache):
    half, _ = half_bundle(home, cache)
    graph = onnx.shape_inference.infer_shapes(onnx.load(half.onnx)).graph
    types = {one.name: one.type.tensor_type.elem_type for one in graph.value_info}
    made = {
        kind: {types[one.output[0]] for one in graph.node if one.op_type == kind}
        for kind in ("Conv", "MatMul")
    }
    assert made["Conv"] == {onnx.TensorProto.FLOAT}
    assert onnx.TensorProto.FLOAT16 in made["MatMul"]


def test_it_is_made_once(deep, cache, monkeypatch):
    first = half_bundle(deep, cache)
    monkeypatch.setattr(module, "halve", lambda *_: pytest.fail("made again"))
    assert half_bundle(deep, cache) == first


def test_another_graph_has_another_name(deep, cache, tmp_path):
    other = load_bundle(write_bundle(tmp_path / "other", spread=4.0))
    names = {half_bundle(one, cache)[0].sha256 for one in (deep, other)}
    assert len(names | {deep.sha256, other.sha256}) == 4


@pytest.mark.parametrize("damage", [b"", b"not a graph"])
def test_a_damaged_graph_is_made_again(deep, cache, damage, caplog):
    half, report = half_bundle(deep, cache)
    half.onnx.write_bytes(damage)
    assert half_bundle(deep, cache) == (half, report)
    assert half.onnx.stat().st_size > 1000
    assert "is damaged; it is made again" in caplog.text


@pytest.mark.parametrize("damage", ["", "{}", '{"format": 2}', "[" * 5000])
def test_a_damaged_report_is_made_again(deep, cache, damage):
    half, report = half_bundle(deep, cache)
    (half.folder / "report.json").write_text(damage)
    assert half_bundle(deep, cache) == (half, report)


def test_numbers_beyond_float16_are_refused_and_remembered(tmp_path, cache, monkeypatch):
    loud = load_bundle(write_bundle(tmp_path / "loud", spread=32768.0))
    with pytest.raises(HalfRefused, match=r"values up to .* occur in it, and float16 ends at 6550"):
        half_bundle(loud, cache)
    monkeypatch.setattr(module, "halve", lambda *_: pytest.fail("made again"))
    with pytest.raises(HalfRefused, match="values up to"):
        half_bundle(loud, cache)
    assert [path.name for path in cache.rglob("*") if path.is_file()] == ["report.json"]


def test_scores_that_become_others_are_refused(deep, cache, monkeypatch):
    monkeypatch.setitem(module.LIMITS, "fp16", 1e-9)
    with pytest.raises(HalfRefused, match="it gives probabilities that differ by "):
        half_bundle(deep, cache)


def test_scores_that_are_no_numbers_are_refused(tmp_path, cache):
    folder = write_bundle(tmp_path / "nan", spread=2.0)
    model = onnx.load(folder / "model.onnx")
    for tensor in model.graph.initializer:
        if tensor.name == "bias":
            tensor.raw_data = np.full(2, np.nan, np.float32).tobytes()
    onnx.save(model, folder / "model.onnx")
    write_tree(folder, make_tree(folder))
    with pytest.raises(HalfRefused, match="it gives what is no number"):
        half_bundle(load_bundle(folder), cache)


def test_a_graph_with_operators_of_its_own_is_refused(tmp_path, cache):
    folder = tmp_path / "custom"
    folder.mkdir()
    model = make_graph(spread=2.0)
    model.graph.node[-1].domain = "org.example"
    model.opset_import.append(onnx.helper.make_opsetid("org.example", 1))
    onnx.save(model, folder / "model.onnx")
    write_tree(folder, make_tree(folder))
    with pytest.raises(HalfRefused, match="cannot be looked at for fp16: "):
        half_bundle(load_bundle(folder), cache)


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"not a graph"])
def test_what_is_no_graph_is_refused(deep, cache, content):
    deep.onnx.write_bytes(content)
    with pytest.raises(HalfRefused, match="cannot be turned") as caught:
        half_bundle(deep, cache)
    assert "\n" not in str(caught.value)


def test_a_bundle_without_anything_to_turn_says_so(bands, cache):
    with pytest.raises(NothingToHalve, match="no matrix products but its head's"):
        half_bundle(bands, cache)


def test_without_space_nothing_is_left(deep, cache):
    with files_end_at(1000), pytest.raises(HalfRefused, match="cannot be written"):
        half_bundle(deep, cache)
    assert [path for path in cache.rglob("*") if path.is_file()] == []


def test_a_published_graph_is_fed_and_read_as_before(tmp_path, cache):
    folder = write_bundle(tmp_path / "published", name="input_values", spread=2.0)
    graph = {"input": "input_values", "clip": "clip", "takes": "float32"}
    graph |= {"normalises": False, "activates": True}
    write_tree(folder, make_tree(folder) | {"format": 3, "graph": graph})
    bundle = load_bundle(folder)
    half, _ = half_bundle(bundle, cache)
    assert half.graph == bundle.graph
    assert json.loads((half.folder / "report.json").read_text())["source"] == bundle.sha256
    assert replace(half, folder=folder, precision="fp32", sha256=bundle.sha256) == bundle
