"""What systemd is told, over a real datagram socket."""

import socket
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from ast_edge.audio.health import OK, Health
from ast_edge.audio.stream import Block, Stream
from ast_edge.base.worker import workers
from ast_edge.detection.event import Event
from ast_edge.frontend.listener import Window
from ast_edge.model.label import Label
from ast_edge.monitoring import watchdog as module
from ast_edge.monitoring.source_monitor import SourceMonitor
from ast_edge.monitoring.watchdog import (
    HANGING_SECONDS,
    READY_SECONDS,
    UNHEARD_SECONDS,
    UNSCORED_SECONDS,
    Watchdog,
)

RATE = 1000


@pytest.fixture
def manager(tmp_path, monkeypatch):
    """The socket of a service manager."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        receiver.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield receiver


@pytest.fixture
def now(monkeypatch):
    """A clock that stands still until it is moved."""
    clock = SimpleNamespace(time=100.0)
    monkeypatch.setattr(module.time, "monotonic", lambda: clock.time)
    return clock


def said(manager):
    """Return all assignments since the last time."""
    found = []
    while True:
        try:
            found += manager.recv(4096).decode().split("\n")
        except BlockingIOError:
            return found


def stream(source="kitchen"):
    return Stream(source, RATE, 1, 0.0, live=True)


KITCHEN = stream()


def sound(seconds, stream=KITCHEN, start=0):
    return Block(stream, start, np.zeros((round(seconds * RATE), 1), np.float32))


def window(source="kitchen"):
    fbank = np.zeros((1, 1))
    return Window(stream(source), 0.0, 1.0, hop=0.5, heard=1.0, fbank=fbank)


class Rig:
    """A watchdog of a monitor's readings."""

    def __init__(self, submit=lambda beat: None, threads=workers, **stall_timeouts):
        self.monitor = SourceMonitor(
            {"kitchen": "home", "door": "home"}, monotonic=lambda: module.time.monotonic()
        )
        self.dog = Watchdog(submit, self.monitor.read, lambda: stall_timeouts, threads)
        self.monitor.renderers.append(self.dog)


def test_the_service_is_ready_with_its_first_sound(manager, now):
    rig = Rig()
    rig.dog.beat()
    assert "READY=1" not in said(manager)
    rig.monitor.heard(sound(0.1))
    assert "READY=1" in said(manager)


def test_the_service_is_ready_once(manager, now):
    rig = Rig()
    rig.monitor.heard(sound(0.1))
    rig.monitor.heard(sound(0.1))
    assert said(manager).count("READY=1") == 1


def test_a_reload_before_the_first_sound_says_nothing(manager, now):
    rig = Rig()
    with rig.dog.reloading():
        pass
    assert said(manager) == []


def test_a_service_that_is_ready_says_when_a_reload_begins_and_ends(manager, now):
    rig = Rig()
    rig.monitor.heard(sound(0.1))
    said(manager)
    with rig.dog.reloading():
        begun, _ = said(manager)
    assert [begun, *said(manager)] == ["RELOADING=1", "READY=1"]


def test_a_service_that_becomes_ready_during_a_reload_says_so_once(manager, now):
    rig = Rig()
    with rig.dog.reloading():
        rig.monitor.heard(sound(0.1))
    assert said(manager) == ["READY=1", "STATUS=listening"]


def test_a_service_without_a_microphone_becomes_ready_all_the_same(manager, now):
    rig = Rig()
    rig.monitor.health("kitchen", Health("waiting", "no such device"))
    now.time += READY_SECONDS + 1
    rig.dog.beat()
    assert "READY=1" in said(manager)
    rig.dog.beat()
    assert "STATUS=listening; kitchen: waiting" in said(manager)


def test_sound_that_is_scored_keeps_the_watchdog_quiet(manager, now):
    rig = Rig()
    for number in range(10):
        rig.monitor.heard(sound(UNSCORED_SECONDS / 2, start=number * RATE))
        rig.monitor.scored([window()], 0.01, 0)
        rig.dog.beat()
    assert said(manager).count("WATCHDOG=1") == 10


def test_sound_that_is_not_scored_lets_the_watchdog_bite(manager, now, caplog):
    rig = Rig()
    rig.monitor.heard(sound(UNSCORED_SECONDS + 1))
    rig.monitor.heard(sound(1, stream("door")))
    rig.dog.beat()
    rig.dog.beat()
    assert "WATCHDOG=1" not in said(manager)
    assert [record.getMessage() for record in caplog.records] == [
        "kitchen: sound arrives but is not scored"
    ]


def test_a_source_that_waits_its_turn_at_a_slow_engine_is_no_fault(manager, now):
    rig = Rig()
    rig.monitor.heard(sound(UNSCORED_SECONDS + 1))
    rig.monitor.heard(sound(UNSCORED_SECONDS + 1, stream("door")))
    rig.monitor.scored([window()], 8.0, 100)
    rig.dog.beat()
    assert "WATCHDOG=1" in said(manager)


def test_an_engine_that_gives_no_usable_scores_lets_the_watchdog_bite(manager, now):
    rig = Rig()
    rig.monitor.heard(sound(UNSCORED_SECONDS + 1))
    rig.monitor.scored([], 8.0, 100)
    rig.dog.beat()
    assert "WATCHDOG=1" not in said(manager)


def test_short_streams_that_never_fill_a_window_are_no_fault(manager, now):
    rig = Rig()
    for _ in range(5):
        rig.monitor.heard(sound(UNSCORED_SECONDS / 2, stream()))
    rig.dog.beat()
    assert "WATCHDOG=1" in said(manager)


def test_a_source_that_heals_and_says_nothing_lets_the_watchdog_bite(manager, now):
    rig = Rig(kitchen=3.0)
    rig.dog.beat()
    rig.monitor.silent("kitchen")
    now.time += UNHEARD_SECONDS + 3
    rig.dog.beat()
    assert "WATCHDOG=1" in said(manager)
    now.time += 1
    rig.dog.beat()
    assert said(manager) == ["STATUS=kitchen: neither sound nor a reason why not"]


@pytest.mark.parametrize("condition", ["waiting", "stalled"])
def test_a_microphone_that_says_that_it_is_lost_is_waited_for(manager, now, condition):
    rig = Rig(kitchen=3.0)
    rig.dog.beat()
    rig.monitor.silent("kitchen")
    rig.monitor.health("kitchen", Health(condition, "unplugged"))
    now.time += 1e6
    rig.dog.beat()
    assert said(manager).count("WATCHDOG=1") == 2


def test_a_pipe_may_be_silent_for_ever(manager, now):
    rig = Rig()
    rig.monitor.heard(sound(0.1))
    rig.monitor.silent("kitchen")
    now.time += 1e6
    rig.dog.beat()
    assert "WATCHDOG=1" in said(manager)


def test_a_source_that_has_ended_is_not_waited_for(manager, now):
    rig = Rig()
    rig.monitor.heard(sound(UNSCORED_SECONDS + 1))
    rig.monitor.ended("kitchen", None)
    rig.dog.beat()
    assert "WATCHDOG=1" in said(manager)


def test_what_is_wrong_with_a_source_stands_in_the_status_until_it_is_well(manager, now):
    rig = Rig()
    rig.monitor.health("kitchen", Health("muted", "zeros"))
    rig.dog.beat()
    assert "STATUS=listening; kitchen: muted" in said(manager)
    rig.monitor.health("kitchen", OK)
    rig.dog.beat()
    assert "STATUS=listening" in said(manager)


def test_the_status_names_speed_and_the_newest_event(manager, now):
    rig = Rig()
    rig.monitor.scored([window(), window()], 0.05, 0)
    label = Label(0, "Dog", "/m/0bt9lr")
    rig.monitor.publish(Event("1", "start", "kitchen", label, 0.0, 1.0, 0.9, 0.9, "home"))
    rig.dog.beat()
    (status,) = [one for one in said(manager) if one.startswith("STATUS=")]
    assert "25 ms a window" in status
    assert "last Dog (kitchen, " in status


def test_a_daemon_that_does_not_get_to_it_is_asked_once(manager, monkeypatch):
    monkeypatch.setenv("WATCHDOG_USEC", "20000")
    asked = []
    rig = Rig(asked.append)
    rig.dog.start()
    try:
        while not asked:
            pass
        assert asked == [rig.dog.beat]
        rig.dog._closed.wait(0.1)
        assert asked == [rig.dog.beat]
    finally:
        rig.dog.close()


def test_closing_says_that_the_service_stops(manager):
    rig = Rig()
    rig.dog.start()
    rig.dog.close()
    assert said(manager) == ["STOPPING=1"]


def test_a_process_that_begins_anew_does_not_say_that_it_stops(manager, monkeypatch):
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    before, after = Rig().dog, Rig().dog
    before.start()
    before.close(restarts=True)
    after.start()
    words = said(manager)
    after.close()
    assert words == [
        "WATCHDOG_USEC=30000000",
        "STATUS=restarting",
        "WATCHDOG_USEC=120000000",
        "WATCHDOG_USEC=30000000",
    ]


def test_only_a_service_manager_is_told_anything(monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not Watchdog.wanted()


def watched(**threads):
    """Return a watchdog over threads that have been busy with one thing for so many seconds."""
    found = [
        SimpleNamespace(name=name, busy=busy, vital=name == "mqtt")
        for name, busy in threads.items()
    ]
    return Rig(threads=lambda: found).dog, found


def test_a_vital_thread_that_hangs_lets_the_watchdog_bite_and_is_said_once(manager, now, caplog):
    dog, _ = watched(mqtt=HANGING_SECONDS + 1, clips=0.0)
    dog.beat()
    dog.beat()
    assert "WATCHDOG=1" not in said(manager)
    assert sum("mqtt: hangs: busy" in line for line in caplog.messages) == 1


def test_another_thread_that_hangs_is_said_and_does_not_end_the_service(manager, now, caplog):
    dog, (clips,) = watched(clips=HANGING_SECONDS + 1)
    dog.beat()
    assert {"STATUS=listening; clips: hangs", "WATCHDOG=1"} <= set(said(manager))
    clips.busy = 0.0
    dog.beat()
    assert "STATUS=listening" in said(manager)
    assert sum("hangs" in line for line in caplog.messages) == 1


def test_a_thread_that_works_keeps_the_watchdog_quiet(manager, now):
    dog, _ = watched(mqtt=HANGING_SECONDS - 1)
    dog.beat()
    assert "WATCHDOG=1" in said(manager)


def test_a_watchdog_that_cannot_ask_asks_again(manager, monkeypatch):
    monkeypatch.setattr(module, "BEAT_SECONDS", 0.01)
    asked, twice = [], threading.Event()

    def submit(beat):
        asked.append(beat)
        dog._waiting.clear()
        if len(asked) == 1:
            raise RuntimeError("no")
        twice.set()

    dog = Rig(submit, threads=list).dog
    dog.start()
    assert twice.wait(10.0)
    dog.close()
