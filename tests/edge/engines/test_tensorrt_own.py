"""Own labels on an NVIDIA GPU: heads on what its engine gives, on a fake GPU."""

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed")
from rigs.gpu.fake_cuda import FakeMachine
from rigs.model import FRAMES, scores, step_scores
from rigs.model import step_means as means
from rigs.own import write_own

from ast_edge.base.errors import EngineError
from ast_edge.engines import tensorrt as tensorrt_engine
from ast_edge.engines.config import EngineConfig
from ast_edge.engines.graph_border import GraphBorder
from ast_edge.engines.tensorrt import TensorRTEngine
from ast_edge.model.bundle import load_bundle


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty folder for engines."""
    monkeypatch.setenv("CACHE_DIRECTORY", str(tmp_path / "engines"))


def windows(batch):
    return np.random.default_rng(batch).normal(-8, 4, (batch, FRAMES, 128)).astype(np.float32)


def make(bundle):
    return TensorRTEngine(bundle, EngineConfig(precision="fp32"))


@pytest.fixture(params=[True])
def machine(request, monkeypatch):
    """A machine with a fake GPU, whose engines give embeddings or not."""
    fake = FakeMachine(frame=True, embedding=bool(request.param))
    for name, part in {
        "open_cuda": fake.open_cuda,
        "find_library": lambda: fake.library,
        "build_engine": fake.build,
    }.items():
        monkeypatch.setattr(tensorrt_engine, name, part)
    return fake


def test_own_labels_are_scored_by_the_engine_of_the_bundle_they_were_derived_from(
    machine, embedding_model, tmp_path
):
    make(load_bundle(embedding_model)).close()
    own = load_bundle(write_own(embedding_model, tmp_path / "own"))
    found = make(own).run(windows(3))
    assert machine.builds == 1
    expected = GraphBorder(own).scores(
        [scores(windows(3)), step_scores(windows(3)), windows(3).max(axis=1), means(windows(3))]
    )
    assert found.clip == pytest.approx(expected.clip, abs=1e-5)
    assert found.frame == pytest.approx(expected.frame, abs=1e-5)
    assert found.clip.shape == (3, 4)


@pytest.mark.parametrize("machine", [False], indirect=True)
def test_an_engine_without_embeddings_is_refused_for_own_labels(machine, embedding_model, tmp_path):
    make(load_bundle(embedding_model)).close()
    own = load_bundle(write_own(embedding_model, tmp_path / "own"))
    with pytest.raises(
        EngineError, match=r"expected .*, frame_embedding \(any, 12, 128\) float32, got"
    ):
        make(own)
    assert machine.cuda.closed
