"""Fixtures that several test modules of the edge use."""

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from rigs import pulse

# A machine may be busy with other things: slowness is no failure.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory) -> Path:
    """The folder of a tiny bundle (rigs/model.py); do not change it."""
    pytest.importorskip("onnx", reason="onnx is not installed")
    from rigs.model import write_bundle

    return write_bundle(tmp_path_factory.mktemp("bundle") / "bands")


@pytest.fixture(scope="session")
def framed_model(tmp_path_factory) -> Path:
    """The folder of a tiny bundle with frame scores; do not change it."""
    pytest.importorskip("onnx", reason="onnx is not installed")
    from rigs.model import write_bundle

    return write_bundle(tmp_path_factory.mktemp("bundle") / "steps", frame=True)


@pytest.fixture
def model_folder(tiny_model, tmp_path) -> Path:
    """A copy of the tiny bundle to change."""
    return Path(shutil.copytree(tiny_model, tmp_path / "bands"))


@pytest.fixture
def microphone(monkeypatch):
    """A virtual microphone, which this process and its children see."""
    if reason := pulse.available():
        pytest.skip(reason)
    with pulse.VirtualMicrophone() as virtual:
        for key, value in virtual.environment.items():
            monkeypatch.setenv(key, value)
        yield virtual
