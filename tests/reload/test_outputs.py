"""SIGHUP to a daemon of one's own: where events go besides the broker."""

import signal
import urllib.request

import numpy as np
import pytest
import soundfile
from rigs.broker import mosquitto
from rigs.broker.mosquitto import Mosquitto, wait_until
from rigs.daemon import Daemon
from rigs.ports import free_port

pytest.importorskip("onnx", reason="onnx is not installed")
from rigs.model import RATE, silence, tone

pytestmark = pytest.mark.skipif(bool(mosquitto.available()), reason=mosquitto.available())

HUMS = np.concatenate([np.concatenate([silence(2), tone("Hum", 1)]) for _ in range(40)])


@pytest.fixture
def daemon(tmp_path):
    """A daemon in whose kitchen it hums every three seconds."""
    (tmp_path / "broker").mkdir()
    with Mosquitto(tmp_path / "broker") as broker, Daemon(tmp_path, broker, HUMS) as daemon:
        wait_until(lambda: (tmp_path / "events.jsonl").exists() and daemon.written(), 60)
        yield daemon


def reload(daemon, **keys):
    """Change the configuration, send the signal, and wait until it is followed."""
    fine = "configuration reloaded"
    before = daemon.log.read_text().count(fine)
    daemon.change(**keys)
    daemon.process.send_signal(signal.SIGHUP)
    wait_until(lambda: daemon.log.read_text().count(fine) > before)


def clips(folder):
    return sorted(folder.glob("**/*.flac"))


def test_a_file_of_events_that_was_moved_away_is_begun_anew(daemon, tmp_path):
    (tmp_path / "events.jsonl").rename(tmp_path / "events.1")
    reload(daemon)
    wait_until(daemon.written)


def test_clips_are_kept_from_a_reload_on_and_no_more_after_another(daemon, tmp_path):
    reload(daemon, clips={"folder": str(tmp_path / "clips"), "post_roll": 0})
    wait_until(lambda: clips(tmp_path / "clips"))
    reload(daemon, clips=None)
    kept, events = clips(tmp_path / "clips"), len(daemon.written())
    wait_until(lambda: len(daemon.written()) >= events + 4)
    assert clips(tmp_path / "clips") == kept


def test_clips_go_to_another_folder_after_a_reload(daemon, tmp_path):
    reload(daemon, clips={"folder": str(tmp_path / "clips"), "post_roll": 0})
    reload(daemon, clips={"folder": str(tmp_path / "others"), "post_roll": 0})
    wait_until(lambda: clips(tmp_path / "others"))
    sound, rate = soundfile.read(clips(tmp_path / "others")[0])
    assert rate == RATE
    assert np.abs(sound).max() > 0.01


def test_metrics_are_served_from_a_reload_on_and_no_more_after_another(daemon):
    port = free_port()
    url = f"http://127.0.0.1:{port}/metrics"
    reload(daemon, metrics={"listen": f"127.0.0.1:{port}"})
    with urllib.request.urlopen(url, timeout=10) as answer:
        assert b"ast_edge_events" in answer.read()
    reload(daemon, metrics=None)
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(url, timeout=10)
