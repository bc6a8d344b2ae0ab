"""What `ast-edge run` writes and whom it calls, as the kernel sees it."""

import sys

import numpy as np
import pytest
import soundfile
import yaml
from rigs import strace
from rigs.broker import mosquitto
from rigs.broker.mosquitto import Mosquitto, Subscriber

pytest.importorskip("onnx", reason="onnx is not installed")
from rigs.model import RATE, silence, tone, write_bundle

missing = strace.available() or mosquitto.available()
pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(missing), reason=missing)]

DEVICES = ("/dev/", "/proc/", "/sys/")


@pytest.fixture
def run(tmp_path):
    """Run the daemon over a recording and return what it did, and what the broker heard."""

    def run(engine, **sections):
        sound = np.concatenate([silence(2), tone("Hum", 2), silence(3)])
        soundfile.write(tmp_path / "sound.wav", sound, RATE)
        (tmp_path / "broker").mkdir()
        with Mosquitto(tmp_path / "broker") as broker, Subscriber(broker) as heard:
            tree = {
                "node": "attic",
                "bundle": str(write_bundle(tmp_path / "bands")),
                "engine": {"name": engine},
                "sources": {"kitchen": {"file": "sound.wav", "pace": "fast"}},
                "mqtt": {"host": "127.0.0.1", "port": broker.port},
            }
            (tmp_path / "mic.yaml").write_text(yaml.safe_dump(tree | sections))
            command = [sys.executable, "-B", "-m", "ast_edge", "run", "--config", "mic.yaml"]
            environment = {
                "PATH": "/usr/bin:/bin",
                "HOME": str(tmp_path / "home"),
                "STATE_DIRECTORY": str(tmp_path / "state"),
                "TMPDIR": str(tmp_path / "tmp"),
                "PYTHONPATH": ":".join(sys.path),
            }
            traced = strace.trace(command, tmp_path, environment)
            assert traced.returncode == 0, traced.stderr
            heard.wait_for(lambda: len(heard.on("ast-edge/attic/kitchen/event")) == 2)
        return traced, f"127.0.0.1:{broker.port}"

    return run


def test_a_trace_shows_files_and_calls(tmp_path):
    program = (
        "import os, socket; open('/dev/null').close(); open('made', 'w').close();"
        "os.rename('made', 'renamed'); os.mkfifo('pipe');"
        "socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9));"
        "socket.socket().connect_ex(('127.0.0.1', 7))"
    )
    traced = strace.trace([sys.executable, "-B", "-c", program], tmp_path, {"PATH": "/usr/bin"})
    assert traced.written == {"made", "renamed", "pipe"}
    assert traced.called >= {"127.0.0.1:9", "127.0.0.1:7"}


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_nothing_is_written_but_the_state_and_nobody_is_called_but_the_broker(
    run, engine, tmp_path
):
    traced, broker = run(engine)
    files = {path for path in traced.written if not path.startswith(DEVICES)}
    outside = {path for path in files if not path.startswith(str(tmp_path / "state"))}
    assert files, "the trace shows nothing at all"
    assert not outside
    assert traced.called == {broker}
    assert traced.bound == {str(tmp_path / "state" / "attic.sock")}  # for `ast-edge status`


def test_no_state_holds_sound(run, tmp_path):
    run("openvino")
    state = {path.name: path.read_bytes() for path in (tmp_path / "state").iterdir()}
    sound = (tone("Hum", 0.05) * 32768).astype("<i2").tobytes()
    assert {name.split("-")[0] for name in state} <= {
        "outbox",
        "history",
        "published",
        "settings",
        "attic.lock",
    }
    assert not [name for name, content in state.items() if sound[:64] in content]
    assert max(map(len, state.values())) < 64_000  # a second of sound is 32 kB


def test_clips_are_written_to_their_folder_alone(run, tmp_path):
    traced, broker = run("openvino", clips={"folder": "clips", "min_free_bytes": 0})
    files = {path for path in traced.written if not path.startswith(DEVICES)}
    allowed = (str(tmp_path / "state"), str(tmp_path / "clips"), "clips/")
    assert not {path for path in files if not path.startswith(allowed)}
    assert [path.suffix for path in (tmp_path / "clips").iterdir()] == [".flac"]
    assert traced.called == {broker}
