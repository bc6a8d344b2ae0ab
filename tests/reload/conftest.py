import pytest
from rigs.broker.mosquitto import Mosquitto


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "broker").mkdir()
    return tmp_path


@pytest.fixture
def broker(folder):
    with Mosquitto(folder / "broker") as broker:
        yield broker


@pytest.fixture
def daemon(folder, broker):
    """A daemon in whose kitchen it hums; it ends cleanly."""
    pytest.importorskip("onnx", reason="onnx is not installed")
    from rigs.reloadable import Reloadable

    with Reloadable(folder, broker) as daemon:
        daemon.wait_for_events(1)
        yield daemon
