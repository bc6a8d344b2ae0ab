"""A daemon that is reloaded, and those around it: service manager, terminal, other daemon."""

import os
import pty
import shutil
import socket
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from rigs.broker import mosquitto
from rigs.broker.mosquitto import retained, wait_until

pytest.importorskip("onnx", reason="onnx is not installed")
from rigs.model import RATE, silence, tone, write_bundle
from rigs.own import BELL_HZ, write_own
from rigs.reloadable import Reloadable

pytestmark = pytest.mark.skipif(bool(mosquitto.available()), reason=mosquitto.available())

ROOT = "ast-edge/attic/"


@pytest.fixture
def manager(folder, broker, monkeypatch):
    """The socket of a service manager; Mosquitto, which would speak to it too, runs before."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(folder / "notify"))
        manager.settimeout(20)
        monkeypatch.setenv("NOTIFY_SOCKET", str(folder / "notify"))
        yield manager


def read_until(manager, word):
    """Return all that the manager is told, up to a message with this word."""
    said = [manager.recv(1000).decode()]
    while word not in said[-1].split("\n"):
        said.append(manager.recv(1000).decode())
    return said


def test_the_service_manager_is_told(folder, broker, manager):
    with Reloadable(folder, broker) as daemon:
        daemon.wait_for_events(1)
        daemon.reload(labels={"Hum": None})
        read_until(manager, "RELOADING=1")
        assert read_until(manager, "READY=1")[-1] == "READY=1"


def test_a_reload_before_the_first_sound_does_not_make_the_service_ready(folder, broker, manager):
    daemon = Reloadable(folder, broker)
    daemon.change(sources={"kitchen": {"stdin": "f32le", "sample_rate": RATE}})
    with daemon:
        wait_until(lambda: "listening to" in daemon.log.read_text(), 30.0)
        daemon.reload(labels={"Hum": None})
        daemon.feed(tone("Hum", 1))
        said = read_until(manager, "READY=1")
    assert said[-1].split("\n") == ["READY=1", "STATUS=listening"]  # of the first sound
    assert not any("RELOADING=1" in words for words in said)


def test_a_terminal_that_is_closed_ends_the_daemon(folder, broker):
    config = Reloadable(folder, broker).config
    process, terminal = pty.fork()
    if process == 0:
        arguments = ["-m", "ast_edge", "run", "--config", str(config)]
        os.execv(sys.executable, [sys.executable, *arguments])
    said = b""
    while b"listening to kitchen" not in said:
        said += os.read(terminal, 1000)
    os.close(terminal)
    ended = []
    wait_until(lambda: ended.append(os.waitpid(process, os.WNOHANG)) or ended[-1][0], timeout=20)
    assert os.waitstatus_to_exitcode(ended[-1][1]) == 0


def test_a_second_daemon_of_the_node_is_refused(daemon):
    command = [sys.executable, "-m", "ast_edge", "run", "--config", str(daemon.config)]
    second = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert second.returncode == 78
    assert "another ast-edge with the node 'attic' is running" in second.stderr.splitlines()[-1]


def test_a_sound_that_is_enrolled_in_the_bundle_in_use_is_heard_after_a_reload(folder, broker):
    base = write_bundle(folder / "base", frame=True, embedding=True)
    mine = shutil.copytree(base, folder / "mine")
    phase = 2 * np.pi * BELL_HZ * np.arange(119 * RATE) / RATE
    bell = np.concatenate([silence(1), 0.5 * np.sin(phase).astype(np.float32)])
    daemon = Reloadable(folder, broker)
    soundfile.write(folder / "sound.wav", bell, RATE)
    daemon.change(bundle=str(mine))
    with daemon:
        wait_until(lambda: ROOT + "kitchen/hum/state" in retained(broker))
        shutil.rmtree(mine)
        write_own(base, mine)
        daemon.reload()
        assert "changed: kitchen; labels changed: Bell, Whistle" in daemon.log.read_text()
        daemon.wait_for_events(1, label="Bell")
        wait_until(lambda: retained(broker).get(ROOT + "kitchen/bell/state") == "ON")
        assert ROOT + "kitchen/whistle/state" in retained(broker)
