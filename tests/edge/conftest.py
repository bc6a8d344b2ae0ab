"""Fixtures that several test modules of the edge use."""

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from rigs.broker.mosquitto import Mosquitto
from rigs.broker.outbox import MAX_AGE
from rigs.broker.sink import DOG, SIREN, started
from rigs.sound import pulse

from ast_edge.mqtt import connection
from ast_edge.mqtt.config import MqttConfig
from ast_edge.mqtt.outbox import Outbox

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
def other_model(tmp_path_factory) -> Path:
    """The folder of another tiny bundle with the labels Buzz and Hum; do not change it."""
    pytest.importorskip("onnx", reason="onnx is not installed")
    from rigs.model import write_other_bundle

    return write_other_bundle(tmp_path_factory.mktemp("bundle") / "other")


@pytest.fixture(scope="session")
def framed_model(tmp_path_factory) -> Path:
    """The folder of a tiny bundle with frame scores; do not change it."""
    pytest.importorskip("onnx", reason="onnx is not installed")
    from rigs.model import write_bundle

    return write_bundle(tmp_path_factory.mktemp("bundle") / "steps", frame=True)


@pytest.fixture(scope="session")
def embedding_model(tmp_path_factory) -> Path:
    """The folder of a tiny bundle with frame scores and embeddings; do not change it."""
    pytest.importorskip("onnx", reason="onnx is not installed")
    from rigs.model import write_bundle

    folder = tmp_path_factory.mktemp("bundle") / "embedding"
    return write_bundle(folder, frame=True, embedding=True)


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


@pytest.fixture
def short_pauses(monkeypatch):
    """Attempts to connect follow each other at once."""
    monkeypatch.setattr(connection, "retry_pause", lambda failures: 0.1)


@pytest.fixture(params=["5", "3.1.1"])
def protocol(request):
    """A version of MQTT."""
    return request.param


@pytest.fixture
def broker(tmp_path):
    """A Mosquitto that forgets everything when it is restarted."""
    with Mosquitto(tmp_path) as broker:
        yield broker


@pytest.fixture
def memory(tmp_path):
    """A broker that keeps sessions over a restart, so that a subscriber misses nothing."""
    with Mosquitto(tmp_path, persistent=True) as broker:
        yield broker


@pytest.fixture
def open_sink():
    """Return a function that makes a sink for a broker; sinks left open are closed."""
    sinks = []

    def open_sink(broker, box=None, participants=(), **options):
        config = MqttConfig(**{"host": "127.0.0.1", "port": broker.port} | options)
        entities = [("mic", DOG), ("mic", SIREN)]
        sinks.append(started(config, entities, box, participants))
        return sinks[-1]

    yield open_sink
    for sink in sinks:
        sink.close()


@pytest.fixture
def box_path(tmp_path):
    """Where an outbox keeps its events; there is nothing yet."""
    return tmp_path / "state" / "outbox.sqlite"


@pytest.fixture
def open_box(box_path):
    """Return a function that opens the outbox at `box_path`; those left open are closed."""
    boxes = []

    def open_box(path=box_path, max_events=1000, **options):
        boxes.append(Outbox(path, max_age=MAX_AGE, max_events=max_events, **options))
        return boxes[-1]

    yield open_box
    for box in boxes:
        box.close()
