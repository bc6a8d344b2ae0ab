from types import SimpleNamespace

import numpy as np
import pytest

from ast_edge.base.errors import EngineError
from ast_edge.engines.config import EngineConfig
from ast_edge.enrolment.embedder import Embedder
from ast_edge.model.bundle import load_bundle


def test_an_engine_whose_embeddings_are_no_numbers_teaches_nothing(embedding_model, monkeypatch):
    bundle = load_bundle(embedding_model)
    embedder = Embedder(bundle, EngineConfig(name="onnxruntime"))
    embedder.close()
    wrong = SimpleNamespace(
        embedding=np.full((1, bundle.embedding), np.nan, np.float32), frame_embedding=None
    )
    broken = SimpleNamespace(description="broken", run=lambda windows: wrong)
    monkeypatch.setattr(embedder, "_engine", broken)
    window = np.zeros((bundle.frames, bundle.fbank.mel_bins), np.float32)
    with pytest.raises(EngineError, match="broken: gives embeddings that are no numbers"):
        list(embedder.run([window]))
