"""Own labels are columns of the scores like any other, in every engine."""

import json
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed")
import onnx
from rigs.model import FRAMES, WIDTH, make_graph, scores, step_scores, write_tree
from rigs.own import heads, write_own

from ast_edge.base.errors import EngineError
from ast_edge.base.files import file_sha256
from ast_edge.engines.choice import open_engine
from ast_edge.engines.config import EngineConfig
from ast_edge.model.bundle import load_bundle
from ast_edge.model.own_labels import normalised


@pytest.fixture
def own(embedding_model, tmp_path):
    return load_bundle(write_own(embedding_model, tmp_path / "own"))


@pytest.fixture(params=["openvino", "onnxruntime"])
def opened(request):
    """Open engines of a kind, in float32."""
    pytest.importorskip(request.param)
    engines = []

    def opened(bundle):
        engines.append(open_engine(bundle, EngineConfig(name=request.param, precision="fp32")))
        return engines[-1]

    yield opened
    for engine in engines:
        engine.close()


def windows(count=3):
    return np.random.default_rng(0).normal(-4, 2, (count, FRAMES, 128)).astype(np.float32)


def own_scores(embeddings):
    rows = heads()
    return 1 / (1 + np.exp(-(normalised(embeddings) @ rows[:, :-1].T + rows[:, -1])))


def test_own_labels_are_scored_beside_those_of_the_graph(opened, own):
    found = opened(own).run(windows())
    steps = windows()[:, :96].reshape(3, 12, 8, WIDTH).mean(axis=2)
    assert found.clip[:, :2] == pytest.approx(scores(windows()), abs=1e-4)
    assert found.clip[:, 2:] == pytest.approx(own_scores(windows().max(axis=1)), abs=1e-4)
    assert found.frame[..., :2] == pytest.approx(step_scores(windows()), abs=1e-4)
    assert found.frame[..., 2:] == pytest.approx(own_scores(steps), abs=1e-4)


def test_windows_of_these_tests_make_a_difference_to_own_labels():
    assert own_scores(windows(20).max(axis=1)).std(axis=0).min() > 0.02


def test_a_clip_level_bundle_may_have_own_labels_too(opened, tmp_path):
    from rigs.model import write_bundle

    base = write_bundle(tmp_path / "clip", embedding=True)
    bundle = load_bundle(write_own(base, tmp_path / "own"))
    found = opened(bundle).run(windows())
    assert found.frame is None
    assert found.clip[:, 2:] == pytest.approx(own_scores(windows().max(axis=1)), abs=1e-4)


def test_embeddings_are_given_to_who_asks_for_them(opened, embedding_model):
    bundle = load_bundle(embedding_model)
    without = opened(bundle).run(windows())
    found = opened(replace(bundle, embeds=True)).run(windows())
    assert (without.embedding, without.frame_embedding) == (None, None)
    assert found.embedding == pytest.approx(windows().max(axis=1), abs=1e-5)
    assert found.frame_embedding.shape == (3, 12, WIDTH)
    assert np.array_equal(found.clip, without.clip)


def test_embeddings_that_are_no_numbers_are_heard_as_nothing(opened, own):
    broken = windows(2)
    broken[0, 40, 60] = np.nan
    first, second = opened(own).run(broken).each()
    assert not first[0].any()
    assert second[0].any()


def changed(own, **graph):
    """Give a bundle another graph, and return why it cannot be opened."""
    onnx.save(make_graph(**graph), own.onnx)
    tree = json.loads((own.folder / "bundle.json").read_bytes())
    tree["files"]["model.onnx"] = file_sha256(own.onnx)
    write_tree(own.folder, tree)
    return load_bundle(own.folder)


def test_a_graph_without_the_embeddings_it_promises_is_refused(opened, own):
    with pytest.raises(EngineError):
        opened(changed(own, frame=True))


def test_a_graph_with_other_embeddings_than_it_promises_is_refused(opened, own):
    other = replace(changed(own, frame=True, embedding=True), embedding=100)
    with pytest.raises(EngineError, match="expected the output embedding"):
        opened(other)


def test_outputs_that_nobody_asks_for_are_cut_off(embedding_model):
    openvino = pytest.importorskip("openvino")
    from ast_edge.engines.openvino import _leave_out, shared_core

    graph = shared_core().read_model(load_bundle(embedding_model).onnx)
    before = len(graph.get_ops())
    _leave_out(graph, ("clip", "frame"))
    names = [result.output(0).get_any_name() for result in graph.results]
    assert sorted(names) == ["clip", "frame"]
    assert len(graph.get_ops()) < before
    assert openvino
