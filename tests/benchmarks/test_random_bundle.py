import numpy as np
import pytest

from ast_edge.engines.choice import open_engine
from ast_edge.engines.config import EngineConfig
from ast_edge.model.bundle import load_bundle

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("onnx", reason="onnx is not installed")
from parts.random_bundle import LABELS, write_random_bundle


@pytest.mark.slow
def test_an_engine_runs_it(tmp_path):
    bundle = load_bundle(write_random_bundle(tmp_path / "tiny", "tiny", frames=64))
    engine = open_engine(bundle, EngineConfig(threads=1))
    assert engine.run(np.zeros((3, 64, 128), np.float32)).clip.shape == (3, LABELS)
    engine.close()
