"""What else can break under a running daemon; docs/reliability.md lists all faults and tests."""

import contextlib
import json
import os
import random
import signal
import sqlite3
import time
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import soundfile
from rigs import faketime, mosquitto, pulse, tmpfs
from rigs.listener import Listener
from rigs.mosquitto import Mosquitto, Subscriber, wait_until
from rigs.processes import children

from ast_edge.app.daemon import Daemon as RunningDaemon
from ast_edge.base.errors import EngineError
from ast_edge.detection.hearing import Hearing
from ast_edge.detection.pipeline import Pipeline
from ast_edge.engines.choice import open_engine
from ast_edge.engines.config import EngineConfig
from ast_edge.model.bundle import load_bundle
from ast_edge.sources.microphone import MicrophoneSource
from ast_edge.sources.recording import RecordingSource

pytest.importorskip("onnx", reason="onnx is not installed")
from rigs.daemon import Daemon
from rigs.model import RATE, silence, tone, write_bundle

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(mosquitto.available()), reason=mosquitto.available()),
]
needs_tmpfs = [
    pytest.mark.root,
    pytest.mark.skipif(bool(tmpfs.available()), reason=tmpfs.available()),
]

EVENTS = "ast-edge/attic/kitchen/event"
SOUND = np.concatenate([tone("Hum", 0.5), tone("Hiss", 0.5), silence(1.5)])
"""Four messages: two events begin and end."""


@pytest.fixture
def broker(tmp_path):
    (tmp_path / "broker").mkdir()
    with Mosquitto(tmp_path / "broker", persistent=True) as broker:
        yield broker


def arrived(subscriber):
    return [json.loads(payload) for payload in subscriber.on(EVENTS)]


def messages(events):
    return {event["message"] for event in events}


def hear(daemon, subscriber, count):
    """Let the daemon hear events and wait until all messages have come."""
    for _ in range(count):
        daemon.feed(SOUND)
    wait_until(lambda: len(daemon.written()) >= 4 * count - 2, 30.0)
    wait_until(lambda: messages(daemon.written()) <= messages(arrived(subscriber)), 30.0)


@pytest.fixture(params=["full", "read-only"])
def bad_disk(request, tmp_path, monkeypatch):
    """A state folder that cannot be written to; call it for its end."""
    with tmpfs.mounted(tmp_path / "state", "1m") as folder:
        monkeypatch.setenv("STATE_DIRECTORY", str(folder))
        if request.param == "full":
            ballast = tmpfs.fill(folder)
            yield ballast.unlink
        else:
            tmpfs.forbid_writing(folder)
            yield lambda: tmpfs.allow_writing(folder)


@pytest.mark.usefixtures("bad_disk")
class TestWithAStateFolderThatCannotBeWritten:
    pytestmark = needs_tmpfs

    def test_events_arrive(self, broker, tmp_path):
        with Subscriber(broker) as subscriber, Daemon(tmp_path, broker, None) as daemon:
            hear(daemon, subscriber, 3)
        log = daemon.log.read_text()
        assert log.count("outbox-attic.sqlite") == 1
        assert "Traceback" not in log

    def test_events_wait_for_the_broker_all_the_same(self, broker, tmp_path):
        with Subscriber(broker) as subscriber, Daemon(tmp_path, broker, None) as daemon:
            hear(daemon, subscriber, 1)
            broker.stop()
            for _ in range(3):
                daemon.feed(SOUND)
            wait_until(lambda: len(daemon.written()) >= 14)
            broker.start()
            hear(daemon, subscriber, 1)

    def test_events_move_to_the_disk_once_it_can_be_written(self, bad_disk, broker, tmp_path):
        daemon = Daemon(tmp_path, broker, None)
        with Subscriber(broker) as subscriber:
            daemon.start()
            hear(daemon, subscriber, 1)
            broker.stop()
            daemon.feed(SOUND)
            wait_until(lambda: len(daemon.written()) >= 6)
            bad_disk()
            wait_until(lambda: "events are kept in it" in daemon.log.read_text(), 30.0)
            daemon.kill()
            broker.start()
            with daemon:
                hear(daemon, subscriber, 1)


@pytest.mark.root
@pytest.mark.skipif(bool(tmpfs.available()), reason=tmpfs.available())
def test_a_disk_that_fills_up_meanwhile_loses_nothing_and_is_used_again(
    broker, tmp_path, monkeypatch
):
    with tmpfs.mounted(tmp_path / "state", "1m") as folder:
        monkeypatch.setenv("STATE_DIRECTORY", str(folder))
        with Subscriber(broker) as subscriber, Daemon(tmp_path, broker, None) as daemon:
            hear(daemon, subscriber, 1)
            ballast = tmpfs.fill(folder)
            broker.stop()
            for _ in range(100):
                daemon.feed(SOUND)
            wait_until(lambda: len(daemon.written()) >= 390, 30.0)
            ballast.unlink()
            broker.start()
            hear(daemon, subscriber, 1)
        assert "cannot be used" in daemon.log.read_text()
        assert integrity(folder) == "ok"


def integrity(folder: Path) -> str:
    """Ask SQLite whether the outbox is whole."""
    database = sqlite3.connect(folder / "outbox-attic.sqlite")
    try:
        return str(database.execute("PRAGMA integrity_check").fetchone()[0])
    finally:
        database.close()


@pytest.mark.skipif(bool(faketime.available()), reason=faketime.available())
@pytest.mark.parametrize("jump", [86_400, -86_400])
def test_a_clock_that_is_set_by_a_day_loses_no_event(broker, tmp_path, monkeypatch, jump):
    clock = faketime.Clock(tmp_path / "clock")
    daemon = Daemon(tmp_path, broker, None, outbox={"max_age": 3600})
    with contextlib.ExitStack() as stack:
        subscriber = stack.enter_context(Subscriber(broker))
        with monkeypatch.context() as patch:
            for key, value in clock.environment.items():
                patch.setenv(key, value)
            stack.enter_context(daemon)
        with_clock = open_files(daemon.process.pid)
        hear(daemon, subscriber, 1)
        broker.stop()
        daemon.feed(SOUND)
        wait_until(lambda: len(daemon.written()) >= 6)
        clock.set(jump)
        for _ in range(3):
            daemon.feed(SOUND)
            time.sleep(0.5)
        broker.start()
        hear(daemon, subscriber, 4)
        daemon.wait()
    assert any("libfaketime" in path for path in with_clock)
    # The sound of the same stream: its clock is that of its samples.
    onsets = [datetime.fromisoformat(e["onset"].rstrip("Z")) for e in daemon.written()]
    assert (max(onsets) - min(onsets)).total_seconds() < 60


def open_files(pid: int) -> set[str]:
    """Return what a process has mapped, once it is the daemon."""
    wait_until(lambda: "numpy" in Path(f"/proc/{pid}/maps").read_text())
    return set(Path(f"/proc/{pid}/maps").read_text().split())


@pytest.mark.skipif(bool(pulse.available()), reason=str(pulse.available()))
@pytest.mark.parametrize("sign", [signal.SIGSTOP, signal.SIGKILL])
def test_a_frozen_or_dead_capture_is_replaced_and_leaves_no_process(monkeypatch, sign):
    with pulse.VirtualMicrophone() as microphone:
        for key, value in microphone.environment.items():
            monkeypatch.setenv(key, value)
        source = MicrophoneSource("kitchen", pulse.DEVICE, stall_timeout=1.0)
        with Listener(source) as listener:
            listener.wait_for_streams(1)
            (child,) = children("ast_edge.sources.capture")
            os.kill(child, sign)
            listener.wait_for_streams(2)
            assert child not in children("ast_edge.sources.capture")
        assert children("ast_edge.sources.capture") == []


def test_a_daemon_that_was_frozen_goes_on_and_loses_no_event(broker, tmp_path):
    with Subscriber(broker) as subscriber, Daemon(tmp_path, broker, None, keepalive=5) as daemon:
        hear(daemon, subscriber, 1)
        daemon.process.send_signal(signal.SIGSTOP)
        wait_until(lambda: "offline" in subscriber.on("ast-edge/attic/availability"), 20.0)
        daemon.process.send_signal(signal.SIGCONT)
        hear(daemon, subscriber, 2)
        wait_until(lambda: subscriber.on("ast-edge/attic/availability")[-1] == "online")


def test_a_bundle_that_is_damaged_meanwhile_is_noticed_at_the_next_start(broker, tmp_path):
    with Subscriber(broker) as subscriber:
        with Daemon(tmp_path, broker, None) as daemon:
            hear(daemon, subscriber, 1)
            graph = tmp_path / "bands" / "model.onnx"
            content = bytearray(graph.read_bytes())
            content[len(content) // 2] ^= 1
            graph.write_bytes(content)
            hear(daemon, subscriber, 1)
        daemon.start()
        daemon.process.communicate(timeout=20)
        assert daemon.process.returncode == 65
    assert "model.onnx: is damaged or was changed" in daemon.log.read_text()


class FailingEngine:
    """A real engine until a window too many."""

    precision = description = ""

    def __init__(self, bundle, windows):
        self._engine, self._left = open_engine(bundle, EngineConfig(name="onnxruntime")), windows
        self.name = self._engine.name

    def run(self, fbank):
        self._left -= len(fbank)
        if self._left < 0:
            raise EngineError("the GPU has fallen off the bus")
        return self._engine.run(fbank)

    def close(self):
        self._engine.close()


class Kept:
    """A sink that keeps events."""

    def __init__(self):
        self.events = []

    def publish(self, event):
        self.events.append(event)

    def close(self):
        pass


def test_an_engine_that_fails_meanwhile_ends_events_and_then_the_run(tmp_path):
    bundle = load_bundle(write_bundle(tmp_path / "bands"))
    soundfile.write(tmp_path / "sound.wav", np.concatenate([silence(1), tone("Hum", 60)]), RATE)
    sources = [RecordingSource("kitchen", tmp_path / "sound.wav", "fast")]
    pipelines = {"kitchen": Pipeline("kitchen", Hearing(bundle, bundle.settings, hop=0.5))}
    kept = Kept()
    daemon = RunningDaemon(sources, pipelines, {bundle.folder: FailingEngine(bundle, 40)}, [kept])
    with pytest.raises(EngineError, match="fallen off the bus") as caught:
        daemon.run()
    assert caught.value.exit_code == 69  # a service manager starts it again
    assert [event.phase for event in kept.events] == ["start", *["update"] * 3, "end"]


def test_kill_9_at_random_points_loses_no_event_and_damages_no_file(broker, tmp_path, state_folder):
    """`AST_EDGE_KILLS=100` for the figure of docs/reliability.md; six by default."""
    kills = int(os.environ.get("AST_EDGE_KILLS", "6"))
    rng = random.Random(11)
    daemon = Daemon(tmp_path, broker, None)
    clips = tmp_path / "clips"
    daemon.change(clips={"folder": str(clips), "pre_roll": 1, "min_free_bytes": 0})
    with Subscriber(broker) as subscriber:
        for _ in range(kills):
            daemon.start()
            until = time.monotonic() + rng.uniform(0.05, 3.0)
            while time.monotonic() < until:
                daemon.feed(SOUND)
                time.sleep(0.05)
            daemon.kill()
            assert not (state_folder / "outbox-attic.sqlite").exists() or (
                integrity(state_folder) == "ok"
            )
            for path in state_folder.glob("*.json"):
                json.loads(path.read_text())
        with daemon:
            hear(daemon, subscriber, 1)
        everything = arrived(subscriber)
    assert messages(daemon.written()) <= messages(everything)
    started = {e["id"] for e in everything if e["type"] == "start"}
    ended = {e["id"] for e in everything if e["type"] == "end"}
    assert started == ended  # the next daemon has ended what the last one could not
    assert not list(clips.glob("*.partial"))
    assert "Traceback" not in daemon.log.read_text()
