import contextlib
import json
import logging
import sqlite3
from datetime import datetime

import numpy as np
import pytest
import soundfile
from rigs.broker.mosquitto import wait_until
from rigs.broker.sink import DOG, SIREN

from ast_edge.base.errors import AstError, ConfigError
from ast_edge.cli.main import main
from ast_edge.detection.event import Event
from ast_edge.outputs import history
from ast_edge.outputs.history import History, find_history, history_path, read_history

pytest.importorskip("onnx", reason="onnx is not installed")
from rigs.model import RATE, silence, tone


def event(identity, phase="end", label=DOG, onset=1_700_000_000.0, length=2.0):
    return Event(identity, phase, "mic", label, onset, onset + length, 0.8, 0.9, "home")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "history-attic.sqlite"


@pytest.fixture
def remember(path):
    """Open a history, publish these events and close it."""

    def remember(*events, **options):
        sink = open_history(path, **options)
        for one in events:
            sink.publish(one)
        sink.close()

    return remember


def open_history(path, max_events=100):
    return History(path, node="attic", max_events=max_events)


def ids(path, count=1000):
    return [found["id"] for found in read_history(path, count)]


def test_events_are_remembered_over_a_restart_in_their_order(remember, path):
    remember(event("a"), event("b", label=SIREN))
    remember(event("c"))
    assert ids(path) == ["a", "b", "c"]
    assert ids(path, 2) == ["b", "c"]
    assert [found["label"] for found in read_history(path, 9)][:2] == [DOG.name, SIREN.name]


def test_an_event_is_remembered_as_it_was_last_published(remember, path):
    remember(event("a", "start", length=1), event("b"), event("a", "update", length=6), event("a"))
    first, second = read_history(path, 9)
    assert (first["id"], first["type"], first["duration"]) == ("a", "end", 2.0)
    assert second["id"] == "b"


def test_an_event_of_a_clock_that_is_wrong_keeps_its_place(remember, path):
    remember(event("a"), event("b", onset=0.0), event("c"))
    assert ids(path) == ["a", "b", "c"]


def test_of_too_many_the_oldest_are_forgotten(remember, path):
    remember(*(event(str(number)) for number in range(20)), max_events=5)
    remember(event("last"), max_events=5)
    assert ids(path) == ["16", "17", "18", "19", "last"]


def test_an_event_that_ran_when_the_daemon_died_is_ended_by_the_next(remember, path):
    remember(event("a", "start", length=1), event("a", "update", length=6))
    assert read_history(path, 1)[0]["type"] == "update"
    remember()
    (found,) = read_history(path, 1)
    assert (found["type"], found["duration"], found["late"]) == ("end", 6.0, True)


def test_publish_waits_for_no_disk(path):
    sink = open_history(path)
    wait_until(path.exists)
    wait_until(lambda: ids_or_none(path) == [])
    blocker = sqlite3.connect(path)
    blocker.execute("BEGIN IMMEDIATE")
    for number in range(50):
        sink.publish(event(str(number)))  # with the file locked, a write would wait
    blocker.rollback()
    blocker.close()
    wait_until(lambda: len(ids(path)) == 50)
    sink.close()


def ids_or_none(path):
    try:
        return ids(path)
    except AstError:
        return None


def test_of_more_than_can_wait_the_newest_are_remembered(path, monkeypatch):
    monkeypatch.setattr(history, "WAITING", 3)
    sink = open_history(path)
    wait_until(lambda: ids_or_none(path) == [])
    blocker = sqlite3.connect(path)
    blocker.execute("BEGIN IMMEDIATE")
    for number in range(50):
        sink.publish(event(str(number)))
    blocker.rollback()
    blocker.close()
    sink.close()
    assert ids(path)[-3:] == ["47", "48", "49"]


@pytest.mark.parametrize(
    "content", [b"no database at all" * 100, b"SQLite format 3\0" + b"x" * 999]
)
def test_a_damaged_file_is_put_aside_and_said(remember, path, caplog, content):
    path.parent.mkdir()
    path.write_bytes(content)
    remember(event("a"))
    assert ids(path) == ["a"]
    assert path.with_name(path.name + ".damaged").read_bytes() == content
    assert [r.message for r in caplog.records if "is damaged" in r.message]


def test_a_file_of_another_format_is_put_aside(remember, path):
    remember(event("a"))
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 99")
    remember(event("b"))
    assert ids(path) == ["b"]


def test_a_folder_that_cannot_be_made_is_said_once_and_tried_again(path, caplog, monkeypatch):
    monkeypatch.setattr(history, "RETRY_SECONDS", 0.01)
    caplog.set_level(logging.INFO)
    path.parent.write_text("a file in its place")
    sink = open_history(path)
    sink.publish(event("a"))
    wait_until(lambda: "cannot be used" in caplog.text)
    path.parent.unlink()
    wait_until(lambda: "can be used" in caplog.text.replace("cannot", ""))
    sink.close()
    assert ids(path) == ["a"]
    assert caplog.text.count("cannot be used") == 1


@pytest.fixture
def run(tmp_path, tiny_model):
    """Run a daemon over a recording of a Hum and a Hiss."""

    def run(**keys):
        sound = [silence(1), tone("Hum", 1), silence(1), tone("Hiss", 0.5), silence(1.5)]
        soundfile.write(tmp_path / "beeps.wav", np.concatenate(sound), RATE)
        sources = {"kitchen": {"file": "beeps.wav", "pace": "fast"}}
        tree = {"node": "attic", "bundle": str(tiny_model), "hop": 0.1, "sources": sources}
        (tmp_path / "c.yaml").write_text(json.dumps(tree | keys))
        return main(["run", "--config", str(tmp_path / "c.yaml")])

    return run


def test_status_shows_the_events_of_daemons_that_are_gone(run, capsys):
    assert (run(), run()) == (0, 0)
    capsys.readouterr()
    assert main(["status", "--history", "--json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [e["label"] for e in events] == ["Hum", "Hiss"] * 2
    assert {e["type"] for e in events} == {"end"}
    assert len({e["id"] for e in events}) == 4
    assert datetime.fromisoformat(events[0]["onset"].replace("Z", "+00:00"))
    assert main(["status", "--history", "3"]) == 0
    table = capsys.readouterr().out
    assert (table.count("Hum"), table.count("Hiss"), table.count("kitchen")) == (1, 2, 3)


@pytest.mark.parametrize("history", [False, {"enabled": False}])
def test_without_a_history_there_is_no_file(run, capsys, history, state_folder):
    assert run(history=history) == 0
    assert not list(state_folder.glob("history*"))
    assert main(["status", "--history"]) == 1
    assert "a daemon remembers its events unless `history: false`" in capsys.readouterr().err


def test_of_several_nodes_one_has_to_be_chosen(run, capsys):
    run()
    run(node="cellar")
    capsys.readouterr()
    with pytest.raises(ConfigError, match="choose one by --node attic or cellar"):
        find_history(None)
    assert main(["status", "--history", "--node", "cellar"]) == 0
    assert find_history("attic") == history_path("attic")


@pytest.mark.parametrize("count", ["0", "-1", "many", "1.5", "²"])
def test_a_count_that_cannot_be_is_a_usage_error(count):
    with pytest.raises(SystemExit) as caught:
        main(["status", "--history", count])
    assert caught.value.code == 2


def test_a_history_that_cannot_be_read_is_said(path):
    path.parent.mkdir()
    path.write_bytes(b"x" * 5000)
    with pytest.raises(AstError, match="cannot be read: file is not a database"):
        read_history(path, 5)
