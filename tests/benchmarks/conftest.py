from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def framed_model(tmp_path_factory) -> Path:
    """The folder of a bundle with frame scores whose scores are known; see `rigs.model`."""
    model = pytest.importorskip("rigs.model", reason="onnx is not installed")
    return model.write_bundle(tmp_path_factory.mktemp("bundle"), frame=True)
