"""TensorRT-RTX builds engines without a GPU; only running them needs one."""

import pytest

from ast_edge.engines.trt.library import Library
from ast_edge.model.bundle import find_bundle, load_bundle


@pytest.fixture(scope="session")
def rtx():
    module = pytest.importorskip("tensorrt_rtx", reason="tensorrt_rtx is not installed")
    return Library(module, "tensorrt_rtx", module.__version__)


@pytest.fixture(scope="session")
def home():
    return load_bundle(find_bundle("home"))


@pytest.fixture(scope="session")
def bands(tiny_model):
    """A bundle whose engine is built in a moment."""
    return load_bundle(tiny_model)
