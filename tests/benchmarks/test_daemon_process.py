import pytest
import soundfile
from parts.daemon.daemon_process import DaemonProcess

pytest.importorskip("onnx", reason="onnx is not installed")
from rigs.model import RATE, tone, write_bundle


@pytest.fixture
def tree(tmp_path):
    """A daemon with two sources that hum."""
    recording = tmp_path / "hum.wav"
    soundfile.write(recording, tone("Hum", 20.0), RATE)
    return {
        "bundle": str(write_bundle(tmp_path / "bands")),
        "engine": {"threads": 1},
        "sources": {name: {"file": str(recording)} for name in ("attic", "cellar")},
        "jsonl": str(tmp_path / "events.jsonl"),
    }


def test_the_sound_of_all_sources_is_counted(tree, tmp_path):
    with DaemonProcess(tmp_path / "daemon", tree) as daemon:
        before, after = daemon.measure(2.0)
    seconds = after.seconds - before.seconds
    assert after.heard - before.heard == pytest.approx(2 * seconds, abs=1.0)


def test_the_windows_of_all_sources_are_counted(tree, tmp_path):
    tree["hop"] = 0.1
    with DaemonProcess(tmp_path / "daemon", tree) as daemon:
        before, after = daemon.measure(2.0)
    heard = after.heard - before.heard
    assert after.windows - before.windows == pytest.approx(heard / 0.1, abs=10)


def test_work_and_sleep_are_counted(tree, tmp_path):
    tree["hop"] = 0.05
    with DaemonProcess(tmp_path / "daemon", tree) as daemon:
        before, after = daemon.measure(2.0)
    assert after.cpu > before.cpu
    assert after.switches > before.switches


def test_it_is_ready_when_sound_is_heard(tree, tmp_path):
    with DaemonProcess(tmp_path / "daemon", tree) as daemon:
        assert daemon.usage().heard > 0


def test_a_daemon_that_does_not_start_ends_the_benchmark_with_its_log(tree, tmp_path):
    tree["hop"] = "often"
    with pytest.raises(SystemExit, match=r"has ended before it was ready(.|\n)*hop"):
        DaemonProcess(tmp_path / "daemon", tree)


def test_a_daemon_that_is_over_is_not_measured(tree, tmp_path):
    soundfile.write(tmp_path / "hum.wav", tone("Hum", 0.5), RATE)
    with (
        pytest.raises(SystemExit, match="has ended"),
        DaemonProcess(tmp_path / "daemon", tree) as daemon,
    ):
        daemon.measure(3.0)
