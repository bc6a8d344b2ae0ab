"""Where an outbox keeps its events: faults of the file and of the disk."""

import logging
import os
import sqlite3
import subprocess
import sys
import threading

import pytest
from rigs import strace
from rigs.broker.mosquitto import wait_until
from rigs.broker.outbox import event, put, waiting
from rigs.full_disk import files_end_at

from ast_edge.base.errors import ConfigError
from ast_edge.mqtt import outbox as outbox_module


def test_two_daemons_of_one_node_are_a_configuration_error(open_box, box_path):
    put(open_box(), event())
    with pytest.raises(ConfigError, match="another ast-edge with the same node is running"):
        open_box()


def damage_all(box_path):
    box_path.write_bytes(b"\xff" * 8192)


def damage_the_middle(box_path):
    content = bytearray(box_path.read_bytes())
    content[4096:] = b"\xff" * len(content[4096:])
    box_path.write_bytes(content)


def cut_off(box_path):
    box_path.write_bytes(box_path.read_bytes()[:-4096])


def write_another_format(box_path):
    with sqlite3.connect(box_path) as database:
        database.execute("PRAGMA user_version = 77")
    database.close()


@pytest.mark.parametrize("damage", [damage_all, damage_the_middle, cut_off, write_another_format])
def test_a_damaged_file_is_moved_aside_and_work_goes_on(damage, open_box, box_path, caplog):
    box = open_box()
    put(box, event("end"))
    box.close()
    damage(box_path)
    caplog.clear()
    box = open_box()
    put(box, event("end", "new"))
    assert waiting(box) == [("new", "end")]
    assert box.durable
    assert box_path.with_name("outbox.sqlite.damaged").exists()
    (line,) = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    assert line.startswith(f"{box_path}: is damaged (")


def test_events_wait_in_memory_while_the_disk_is_full(open_box, box_path, caplog):
    box = open_box()
    put(box, event("end", "e0"))
    with files_end_at(box_path.with_name("outbox.sqlite-wal").stat().st_size + 10_000):
        for number in range(1, 50):
            put(box, event("end", f"e{number}"))
        assert not box.durable
    assert [id for id, _ in waiting(box)] == [f"e{n}" for n in range(50)]
    (line,) = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    assert line.startswith(f"{box_path}: cannot be used: ")
    assert line.endswith("; events wait in memory until it can")


def test_events_return_to_the_file_when_there_is_room_again(open_box, box_path, monkeypatch):
    monkeypatch.setattr(outbox_module, "FIRST_PAUSE", 0.1)
    box = open_box()
    with files_end_at(box_path.with_name("outbox.sqlite-wal").stat().st_size):
        put(box, event("end", "e0"))
        assert not box.durable
    wait_until(lambda: box.durable)
    put(box, event("end", "e1"))
    box.close()
    assert waiting(open_box()) == [("e0", "end"), ("e1", "end")]


def test_what_was_put_on_a_full_disk_is_written_on_closing(open_box, box_path):
    box = open_box()
    with files_end_at(box_path.with_name("outbox.sqlite-wal").stat().st_size):
        put(box, event("end"))
    box.close()
    assert waiting(open_box()) == [("e", "end")]


@pytest.fixture
def blocked(box_path, monkeypatch):
    """A file where the outbox's folder belongs; to be deleted."""
    monkeypatch.setattr(outbox_module, "FIRST_PAUSE", 0.05)
    box_path.parent.touch()
    return box_path.parent


def test_a_folder_that_cannot_be_made_is_said_once_and_events_wait_in_memory(
    open_box, box_path, blocked, caplog
):
    caplog.set_level(logging.DEBUG, "ast_edge")
    box = open_box()
    put(box, event("end"))
    wait_until(lambda: caplog.text.count("still cannot be used") >= 3)
    assert waiting(box) == [("e", "end")]
    assert not box.durable
    (line,) = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    assert line == f"{box_path}: cannot be used: File exists; events wait in memory until it can"


def test_events_go_to_a_file_that_can_be_made_later(open_box, blocked):
    box = open_box()
    put(box, event("start"))
    blocked.unlink()
    wait_until(lambda: box.durable)
    put(box, event("end"))
    box.close()
    assert waiting(open_box()) == [("e", "start"), ("e", "end")]


def test_the_pauses_between_two_attempts_grow_up_to_a_limit(open_box, blocked, monkeypatch):
    monkeypatch.setattr(outbox_module, "LONGEST_PAUSE", 0.3)
    box, pauses = open_box(), []
    wait_until(lambda: pauses.append(box._pause) or pauses[-1] == 0.3)
    assert list(dict.fromkeys(pauses)) == [0.05, 0.1, 0.2, 0.3]


def test_what_a_file_holds_that_is_opened_late_comes_after_what_is_on_its_way(
    open_box, box_path, blocked
):
    blocked.unlink()
    last = open_box()
    put(last, event("end", "over"))
    put(last, event("start", "interrupted"))
    last.close()
    away = box_path.parent.rename(box_path.parent.with_name("away"))
    box_path.parent.touch()
    box = open_box()
    put(box, event("start", "new"))
    (sent,) = box.after(0, 10)
    box_path.parent.unlink()
    away.rename(box_path.parent)
    wait_until(lambda: box.durable)
    assert [entry.number > sent.number for entry in box.after(0, 10)] == [False, True, True, True]
    assert waiting(box) == [
        ("new", "start"),
        ("over", "end"),
        ("interrupted", "start"),
        ("interrupted", "end"),
    ]


def test_putting_events_never_waits_for_the_disk(tmp_path):
    if reason := strace.available():
        pytest.skip(reason)
    program = f"""
from pathlib import Path
from rigs.broker.mosquitto import wait_until
from rigs.broker.outbox import event, put
from ast_edge.mqtt.outbox import Outbox
box = Outbox(Path({str(tmp_path / "outbox.sqlite")!r}), max_age=3600.0, max_events=100000)
Path({str(tmp_path / "begun")!r}).touch()
for number in range(2000):
    put(box, event("start" if number % 2 else "end", f"e{{number // 2}}"))
Path({str(tmp_path / "done")!r}).touch()
wait_until(lambda: box._checkpoint_at > 2000)
"""
    command = [sys.executable, "-c", program]
    calls = "trace=fsync,fdatasync,openat"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run(
        ["strace", "-ff", "-s", "4096", "-e", calls, "-o", tmp_path / "calls", *command],
        check=True,
        timeout=100,
        env=environment,
    )
    threads = [path.read_text() for path in tmp_path.glob("calls.*")]
    (putting,) = [text for text in threads if str(tmp_path / "begun") in text]
    putting = putting[putting.index("/begun") : putting.index("/done")]
    assert "sync(" not in putting
    assert any("sync(" in text for text in threads)  # another thread does it


def test_an_event_that_is_put_while_the_disk_is_waited_for_is_taken_in_after(open_box, monkeypatch):
    monkeypatch.setattr(outbox_module, "CHECKPOINT_ROWS", 1)
    box, begun, go_on = open_box(), threading.Event(), threading.Event()
    checkpoint = box._store.checkpoint

    def slow():
        begun.set()
        assert go_on.wait(20)
        checkpoint()

    monkeypatch.setattr(box._store, "checkpoint", slow)
    box._checkpoint_at = 1
    put(box, event("end", "e0"))
    assert begun.wait(20)
    put(box, event("end", "e1"))
    put(box, event("end", "e2"))
    go_on.set()
    assert waiting(box) == [("e0", "end"), ("e1", "end"), ("e2", "end")]


def test_the_log_of_changes_does_not_grow_for_ever(open_box, box_path, monkeypatch):
    monkeypatch.setattr(outbox_module, "CHECKPOINT_ROWS", 20)
    box = open_box()
    box._checkpoint_at = 20
    log = box_path.with_name("outbox.sqlite-wal")
    for number in range(300):
        put(box, event("end", f"e{number}"))
        box.remove(number + 1)
        wait_until(lambda: box._store.changes < box._checkpoint_at)
    assert log.stat().st_size < 1_000_000
