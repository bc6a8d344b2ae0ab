import logging
import warnings
from collections import Counter

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from rigs.training.checkpoints import random_checkpoint

import ast_export.graph as graph_module
from ast_edge.base.errors import ConfigError
from ast_export.graph import export_graph
from ast_export.merged import MergedModel


def run(path, windows):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(["clip"], {"fbank": windows})[0]


def windows(batch):
    """Features in the range of real ones (batch, frames, mels)."""
    rng = np.random.default_rng(batch)
    return rng.normal(-7, 5, (batch, 64, 128)).astype(np.float32)


@torch.inference_mode()
def expected(checkpoint, batch):
    return checkpoint.build().probabilities(torch.from_numpy(windows(batch))).numpy()


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_graph_says_what_the_model_says_for_any_batch(graph, checkpoint, batch):
    difference = np.abs(run(graph, windows(batch)) - expected(checkpoint, batch))
    assert difference.max() <= 1e-5


def test_windows_of_these_tests_make_a_difference_to_the_model(checkpoint):
    assert expected(checkpoint, 5).std(axis=0).min() > 0.05


def test_input_and_output_are_named_float32_and_of_any_batch(graph):
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    (source,), (result,) = session.get_inputs(), session.get_outputs()
    assert (source.name, source.type, source.shape[1:]) == ("fbank", "tensor(float)", [64, 128])
    assert (result.name, result.type, result.shape[1:]) == ("clip", "tensor(float)", [3])
    assert isinstance(source.shape[0], str)


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_frame_scores_are_what_the_model_says_for_any_batch(framed_graph, framed_checkpoint, batch):
    session = onnxruntime.InferenceSession(framed_graph, providers=["CPUExecutionProvider"])
    clip, frame = session.run(["clip", "frame"], {"fbank": windows(batch)})
    with torch.inference_mode():
        logits = framed_checkpoint.build().forward_both(torch.from_numpy(windows(batch)))
    expected_clip, expected_frame = (each.sigmoid().numpy() for each in logits)
    assert frame.shape == (batch, 4, 3)
    np.testing.assert_allclose(clip, expected_clip, atol=1e-5)
    np.testing.assert_allclose(frame, expected_frame, atol=1e-5)
    assert expected_frame.std(axis=1).min() > 0.001  # the steps do differ


def test_the_output_for_steps_is_float32_and_of_any_batch(framed_graph):
    session = onnxruntime.InferenceSession(framed_graph, providers=["CPUExecutionProvider"])
    clip, frame = session.get_outputs()
    assert (clip.name, clip.shape[1:]) == ("clip", [3])
    assert (frame.name, frame.type, frame.shape[1:]) == ("frame", "tensor(float)", [4, 3])
    assert isinstance(frame.shape[0], str)


def test_graph_is_one_file(graph):
    assert list(graph.parent.iterdir()) == [graph]


def test_nothing_is_left_of_the_folders_of_who_exported(graph):
    assert b"site-packages" not in graph.read_bytes()
    assert b"network.py" not in graph.read_bytes()


def test_attention_is_written_out_without_a_mask_and_shapes(graph):
    kinds = Counter(node.op_type for node in onnx.load(graph).graph.node)
    assert kinds["Softmax"] == 2
    assert not kinds.keys() & {"IsNaN", "Where", "Attention"}
    # For the batch of special tokens; the fused kernel would ask once more in every block.
    assert kinds["Shape"] == 1


def test_softmax_models_keep_their_activation(tmp_path):
    spec = random_checkpoint().model
    softmax = random_checkpoint(model=type(spec)(**vars(spec) | {"activation": "softmax"}))
    export_graph(MergedModel([softmax.build()]), tmp_path / "model.onnx")
    found = run(tmp_path / "model.onnx", windows(2))
    np.testing.assert_allclose(found, expected(softmax, 2), atol=1e-5)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)


def test_the_exporter_says_nothing(checkpoint, tmp_path, caplog, capfd):
    with warnings.catch_warnings(record=True) as warned, caplog.at_level(logging.INFO):
        warnings.simplefilter("always")
        export_graph(MergedModel([checkpoint.build()]), tmp_path / "model.onnx")
    assert [str(w.message) for w in warned] == []
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING] == []
    assert capfd.readouterr() == ("", "")


def test_an_opset_without_the_operators_is_refused(checkpoint, tmp_path):
    with pytest.raises(ConfigError, match=r"opset 17 .* expected 18 or newer"):
        export_graph(MergedModel([checkpoint.build()]), tmp_path / "model.onnx", opset=17)
    assert list(tmp_path.iterdir()) == []


def test_a_newer_opset_says_the_same(checkpoint, tmp_path):
    export_graph(MergedModel([checkpoint.build()]), tmp_path / "model.onnx", opset=20)
    assert onnx.load(tmp_path / "model.onnx").opset_import[0].version == 20
    found = run(tmp_path / "model.onnx", windows(2))
    np.testing.assert_allclose(found, expected(checkpoint, 2), atol=1e-5)


def test_weights_too_large_for_one_file_lie_beside_it(checkpoint, tmp_path, monkeypatch):
    monkeypatch.setattr(graph_module, "LARGEST", 1000)
    export_graph(MergedModel([checkpoint.build()]), tmp_path / "model.onnx")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.onnx", "model.onnx.data"]
    found = run(tmp_path / "model.onnx", windows(2))
    np.testing.assert_allclose(found, expected(checkpoint, 2), atol=1e-5)
