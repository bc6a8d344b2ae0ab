"""What systemd is told, over a real datagram socket."""

import socket
from types import SimpleNamespace

import numpy as np
import pytest

from ast_edge import watchdog as module
from ast_edge.audio import Block, Stream
from ast_edge.events import Event, Label
from ast_edge.health import OK, Health
from ast_edge.watchdog import READY_SECONDS, UNSCORED_SECONDS, Watchdog

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


def sound(seconds, source="kitchen"):
    return Block(stream(source), 0, np.zeros((round(seconds * RATE), 1), np.float32))


def window(source="kitchen"):
    return SimpleNamespace(stream=stream(source))


def test_the_service_is_ready_with_its_first_sound(manager, now):
    dog = Watchdog(lambda beat: None)
    dog.beat()
    assert "READY=1" not in said(manager)
    dog.heard(sound(0.1))
    assert "READY=1" in said(manager)


def test_the_service_is_ready_once(manager, now):
    dog = Watchdog(lambda beat: None)
    dog.heard(sound(0.1))
    dog.heard(sound(0.1))
    assert said(manager).count("READY=1") == 1


def test_a_service_without_a_microphone_becomes_ready_all_the_same(manager, now):
    dog = Watchdog(lambda beat: None)
    dog.health("kitchen", Health("waiting", "no such device"))
    now.time += READY_SECONDS + 1
    dog.beat()
    assert "READY=1" in said(manager)
    dog.beat()
    assert "STATUS=listening; kitchen: waiting" in said(manager)


def test_sound_that_is_scored_keeps_the_watchdog_quiet(manager, now):
    dog = Watchdog(lambda beat: None)
    for _ in range(10):
        dog.heard(sound(UNSCORED_SECONDS / 2))
        dog.scored([window()], 0.01, 0)
        dog.beat()
    assert said(manager).count("WATCHDOG=1") == 10


def test_sound_that_is_not_scored_lets_the_watchdog_bite(manager, now, caplog):
    dog = Watchdog(lambda beat: None)
    dog.heard(sound(UNSCORED_SECONDS + 1))
    dog.heard(sound(1, "door"))
    dog.beat()
    dog.beat()
    assert "WATCHDOG=1" not in said(manager)
    assert [record.getMessage() for record in caplog.records] == [
        "kitchen: sound arrives but is not scored"
    ]


def test_a_source_that_has_ended_is_not_waited_for(manager, now):
    dog = Watchdog(lambda beat: None)
    dog.heard(sound(UNSCORED_SECONDS + 1))
    dog.ended("kitchen", None)
    dog.beat()
    assert "WATCHDOG=1" in said(manager)


def test_what_is_wrong_with_a_source_stands_in_the_status_until_it_is_well(manager, now):
    dog = Watchdog(lambda beat: None)
    dog.health("kitchen", Health("muted", "zeros"))
    dog.beat()
    assert "STATUS=listening; kitchen: muted" in said(manager)
    dog.health("kitchen", OK)
    dog.beat()
    assert "STATUS=listening" in said(manager)


def test_the_status_names_speed_and_the_newest_event(manager, now):
    dog = Watchdog(lambda beat: None)
    dog.scored([window(), window()], 0.05, 0)
    label = Label(0, "Dog", "/m/0bt9lr")
    dog.publish(Event("1", "start", "kitchen", label, 0.0, 1.0, 0.9, 0.9))
    dog.beat()
    (status,) = [one for one in said(manager) if one.startswith("STATUS=")]
    assert "25 ms a window" in status
    assert "last Dog (kitchen, " in status


def test_a_daemon_that_does_not_get_to_it_is_asked_once(manager, monkeypatch):
    monkeypatch.setenv("WATCHDOG_USEC", "20000")
    asked = []
    dog = Watchdog(asked.append)
    dog.start()
    try:
        while not asked:
            pass
        assert asked == [dog.beat]
        dog._closed.wait(0.1)
        assert asked == [dog.beat]
    finally:
        dog.close()


def test_closing_says_that_the_service_stops(manager):
    dog = Watchdog(lambda beat: None)
    dog.start()
    dog.close()
    assert said(manager) == ["STOPPING=1"]


def test_only_a_service_manager_is_told_anything(monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not Watchdog.wanted()
