"""Published graphs that score steps, against what transformers computes of the same."""

import json
import logging

import numpy as np
import pytest
from rigs.hub.server import REPOSITORY

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("transformers", reason="transformers is not installed")
import onnx
from onnx import helper
from rigs import exported
from rigs.hub import published as tiny_ast

from ast_edge.engines.choice import open_engine
from ast_edge.engines.config import EngineConfig
from ast_edge.engines.trt.half_bundle import half_bundle
from ast_edge.hub.delivery import Wish, deliver

LIMITS = {"fp32": 1e-5, "fp16": 2e-3, "int8": 5e-2}
FP32 = EngineConfig(name="openvino", precision="fp32")


@pytest.fixture
def published(hub):
    hub.files.update(tiny_ast.files())
    return hub


@pytest.fixture
def get(published, files_of):
    """Install what the hub has, with a curve."""

    def get(precision="fp32", **changes):
        wish = Wish("mine", precision, frame_curve=True)
        return deliver(files_of(f"hf:{REPOSITORY}"), wish, EngineConfig(name="openvino"))

    return get


def windows(count=3):
    shape = (count, tiny_ast.FRAMES, tiny_ast.MEL_BINS)
    return np.random.default_rng(0).normal(-6, 4, shape).astype(np.float32)


def expected(fbank):
    """Compute by transformers: its classifier on the mean of the patches of each step."""
    import torch
    from transformers import ASTFeatureExtractor

    extractor = ASTFeatureExtractor(mean=exported.MEAN, std=exported.STD)
    network = tiny_ast.model()
    states = network.audio_spectrogram_transformer(
        torch.from_numpy(extractor.normalize(fbank))
    ).last_hidden_state[:, 2:]
    grid = (tiny_ast.MEL_BINS - 16) // 10 + 1, (tiny_ast.FRAMES - 16) // 10 + 1
    means = states.reshape(len(fbank), *grid, -1).mean(dim=1)
    return network.classifier(means).sigmoid().numpy()


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_steps_are_scored_as_transformers_would(get, precision, name):
    bundle = get(precision).bundle
    engine = open_engine(bundle, FP32 if name == "openvino" else EngineConfig(name=name))
    found = engine.run(windows())
    engine.close()
    assert bundle.outputs["frame"] == (5, 5)
    assert np.ptp(expected(windows())) > 0.2
    assert found.frame == pytest.approx(expected(windows()), abs=LIMITS[precision])
    assert found.clip == pytest.approx(tiny_ast.probabilities(windows()), abs=LIMITS[precision])


def test_the_bundle_says_that_it_is_a_curve(get, published):
    delivery = get()
    assert (delivery.bundle.frame, delivery.bundle.clip_gate) == ("curve", True)
    tree = json.loads((delivery.bundle.folder / "bundle.json").read_text())
    assert delivery.graph.sha256 in tree["provenance"]["graph"]
    assert tree["files"]["model.onnx"] != delivery.graph.sha256
    assert "a curve: its classifier" in (delivery.bundle.folder / "MODEL_CARD.md").read_text()


def test_what_is_in_the_cache_stays_what_was_published(get, published, tmp_path):
    get()
    (kept,) = (tmp_path / "cache").rglob("model.onnx")
    assert kept.read_bytes() == published.files["onnx/model.onnx"]


def test_it_can_be_computed_in_fp16(get, tmp_path):
    half, report = half_bundle(get().bundle, tmp_path / "half")
    assert report.difference < 5e-3
    engine = open_engine(half, FP32)
    assert engine.run(windows()).frame == pytest.approx(expected(windows()), abs=5e-3)
    engine.close()


def test_newer_operators_take_the_axes_of_a_mean_as_an_input(get, published):
    graph = onnx.load_from_string(published.files["onnx/model.onnx"])
    newer = onnx.version_converter.convert_version(graph, 18)
    published.files["onnx/model.onnx"] = newer.SerializeToString()
    engine = open_engine(get().bundle, FP32)
    assert engine.run(windows()).frame == pytest.approx(expected(windows()), abs=1e-5)
    engine.close()


def mean_of_all(graph):
    """Let the classifier read another token as well."""
    hidden = next(
        n.input[0] for n in graph.node if n.op_type == "Gather" and "layernorm" in n.input[0]
    )
    out = graph.node[-1].input[0]
    graph.node.insert(
        len(graph.node) - 1, helper.make_node("ReduceMean", [hidden], ["m"], axes=[1], keepdims=0)
    )
    graph.node.insert(len(graph.node) - 1, helper.make_node("Add", [out, "m"], ["both"]))
    graph.node[-1].input[0] = "both"


def no_tokens(graph):
    """Read the tokens in a way that is not known here."""
    for one in graph.node:
        if one.op_type == "Gather" and "layernorm" in one.input[0]:
            one.attribute[0].i = -2


def name_taken(graph):
    graph.node.append(helper.make_node("Identity", ["logits"], ["frame"]))


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (mean_of_all, "its classifier reads more than two tokens (ReduceMean)"),
        (no_tokens, "its classifier does not read the two special tokens of hidden states"),
        (name_taken, "it has a tensor 'frame' already"),
    ],
)
def test_without_hidden_states_it_scores_whole_windows_and_says_so(
    get, published, caplog, edit, said
):
    graph = onnx.load_from_string(published.files["onnx/model.onnx"])
    edit(graph.graph)
    published.files["onnx/model.onnx"] = graph.SerializeToString()
    with caplog.at_level(logging.WARNING):
        delivery = get()
    assert delivery.bundle.frame == "none"
    assert caplog.messages == [f"no --frame-curve: {said}; it scores whole windows only"]


def test_a_softmax_has_no_curve(get, published, caplog):
    from rigs.hub.server import model_files

    published.files.update(model_files(published.files, problem_type="single_label_classification"))
    assert get().bundle.frame == "none"
    assert "its labels exclude one another" in caplog.text


def test_a_bundle_stays_what_it_is(hub, files_of, tiny_model, caplog):
    hub.files.update({path.name: path.read_bytes() for path in tiny_model.iterdir()})
    wish = Wish("mine", frame_curve=True)
    delivery = deliver(files_of(f"hf:{REPOSITORY}"), wish, EngineConfig(name="openvino"))
    assert delivery.bundle.frame == "none"
    assert "this is a bundle already" in caplog.text
