"""A service with a broker that is not there, of which all runs in this process."""

import json

import pytest
import soundfile

from ast_edge.app.plan import load_plan
from ast_edge.app.service import Service
from ast_edge.audio import level

pytest.importorskip("onnx", reason="onnx is not installed")
from rigs.daemon_parts import NumpyEngine
from rigs.model import RATE, tone


@pytest.fixture
def service(tmp_path, tiny_model):
    """A service that hears three seconds of each of two recordings."""
    for name in ("hall", "attic"):
        soundfile.write(tmp_path / f"{name}.wav", tone("Hum", 3), RATE)
    tree = {
        "sources": {
            name: {"file": str(tmp_path / f"{name}.wav"), "pace": "fast"}
            for name in ("hall", "attic")
        },
        "bundle": str(tiny_model),
        "mqtt": {"host": "127.0.0.1", "port": 1},
    }
    (tmp_path / "c.yaml").write_text(json.dumps(tree))
    plan = load_plan(tmp_path / "c.yaml")
    service = Service(plan, {bundle.folder: NumpyEngine() for bundle in plan.bundles})
    service.open_node(plan.config.mqtt)
    yield service
    service.close()


def test_the_level_of_sound_is_measured_once(service, monkeypatch):
    measure, measured = level.measure, []

    def counted(samples):
        measured.append(len(samples))
        return measure(samples)

    monkeypatch.setattr(level, "measure", counted)
    service.daemon.run()
    assert measured == [RATE] * 6  # a second each
