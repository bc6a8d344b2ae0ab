import contextlib
import io
import json
from datetime import datetime

import pytest
from rich.console import Console

from ast_edge.base.runtime_folder import runtime_folder
from ast_edge.cli.main import main
from ast_edge.cli.status import show
from ast_edge.monitoring.status_socket import StatusSocket

SOURCE = {
    "state": "listening",
    "detail": "",
    "since": "1970-01-01T00:00:00.000Z",
    "level": {"rms": -41.2, "peak": -20.0},
    "latency": 0.123,
    "audio_seconds": 93784.5,
    "gaps": 1,
    "windows": 187569,
    "dropped_windows": 0,
    "events": 12,
}
EVENT = {
    "onset": "1970-01-02T00:00:00.000Z",
    "source": "hall",
    "label": "Dog",
    "type": "end",
    "duration": 2.5,
    "peak": 0.91,
}
BROKER = {
    "address": "broker:1883",
    "connected": True,
    "fault": "",
    "reconnects": 0,
    "waiting": 0,
    "lost": 0,
}
STATUS = {
    "schema": 1,
    "version": "1.2.3",
    "pid": 42,
    "node": "attic",
    "started": "1970-01-01T00:00:00.000Z",
    "uptime": 93785.0,
    "config": "/etc/ast-edge/mic.yaml",
    "reload": None,
    "bundle": "home",
    "engine": "OpenVINO",
    "real_time_factor": 0.0424,
    "memory_bytes": 200 * 2**20,
    "sources": {"hall": SOURCE},
    "broker": BROKER,
    "events": [EVENT],
}


@pytest.fixture(autouse=True)
def no_service_of_the_machine(monkeypatch, tmp_path):
    monkeypatch.setattr("ast_edge.base.runtime_folder.SERVICE_FOLDER", tmp_path)


@contextlib.contextmanager
def daemon(node, **changes):
    answer = json.dumps(STATUS | {"node": node} | changes).encode() + b"\n"
    with contextlib.closing(StatusSocket(runtime_folder() / f"{node}.sock", lambda: answer)):
        yield answer.decode()


def shown(**changes):
    """Return what people see, a list of lines."""
    console = Console(file=io.StringIO(), width=120)
    show(STATUS | changes, console)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_the_document_is_printed_as_the_daemon_gives_it(capsys):
    with daemon("attic") as answer:
        assert main(["status", "--json"]) == 0
    assert capsys.readouterr().out == answer


def test_people_get_tables(capsys):
    with daemon("attic"):
        assert main(["status"]) == 0
    found = capsys.readouterr().out
    assert "attic, up 1 d 2 h" in found
    assert "OpenVINO, 0.042 s of computing per second of sound" in found


def test_a_source_is_a_line():
    (line,) = [line for line in shown() if line.strip().startswith("hall   ")][:1]
    found = line.split("  ")
    assert [part.strip() for part in found if part.strip()] == [
        *("hall", "listening", "-41 dBFS", "1 d 2 h", "1", "0", "0.12 s", "12")
    ]


def test_what_is_wrong_with_a_source_stands_below_the_table():
    broken = SOURCE | {"state": "silent", "detail": "no device [red]x", "level": None}
    (line,) = [line for line in shown(sources={"hall": broken}) if line.startswith("hall is")]
    assert line.startswith("hall is silent since ")
    assert line.endswith(", no device [red]x")


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "broker:1883: connected"),
        ({"waiting": 3, "reconnects": 2}, "broker:1883: connected, 3 events wait, 2 reconnects"),
        ({"connected": False, "fault": "refused"}, "broker:1883: refused"),
        ({"connected": False}, "broker:1883: connecting"),
    ],
)
def test_the_broker_is_a_line(changes, line):
    assert f"broker    {line}" in shown(broker=BROKER | changes)


def test_without_a_broker_there_is_none():
    assert "broker    none" in shown(broker=None)


def test_a_refused_reload_is_told_with_the_reason():
    reload = {"time": "1970-01-02T00:00:00.000Z", "refusal": "mic.yaml: hop: too long"}
    (line,) = [line for line in shown(reload=reload) if line.startswith("reload")]
    assert line.endswith("refused: mic.yaml: hop: too long")


def test_an_event_that_runs_is_the_first_of_its_table_and_said_to_run():
    now = datetime.now().astimezone().isoformat()
    running = EVENT | {"type": "update", "onset": now, "label": "Speech"}
    lines = shown(events=[EVENT, running])
    speech, dog = (next(n for n, x in enumerate(lines) if word in x) for word in ("Speech", "Dog"))
    assert speech < dog
    assert "2.5 s so far" in lines[speech]


def test_without_a_daemon_it_says_so(capsys):
    assert main(["status"]) == 1
    assert "no ast-edge is running for this user" in capsys.readouterr().err


def test_of_several_one_must_be_chosen(capsys):
    with daemon("attic"), daemon("hall"):
        assert main(["status"]) != 0
        assert "--node attic or hall" in capsys.readouterr().err
        assert main(["status", "--json", "--node", "hall"]) == 0
    assert json.loads(capsys.readouterr().out)["node"] == "hall"


def test_a_socket_that_was_left_behind_is_no_daemon(capsys):
    with daemon("attic"):
        pass
    (runtime_folder() / "attic.sock").touch()
    assert main(["status"]) == 1
    assert "no ast-edge is running" in capsys.readouterr().err


def test_a_daemon_that_does_not_answer_this_user_is_told_from_none(capsys):
    with contextlib.closing(StatusSocket(runtime_folder() / "attic.sock", lambda: b"")):
        assert main(["status"]) == 1
    assert "ask as the daemon's user, or as root" in capsys.readouterr().err


def test_what_a_camera_has_said_moves_no_cursor(capsys, monkeypatch):
    source = SOURCE | {"state": "silent", "detail": "\x1b]0;owned\x07 refused"}
    document = STATUS | {"sources": {"hall": source}}
    monkeypatch.setattr("ast_edge.cli.status._ask", lambda node: json.dumps(document))
    assert main(["status"]) == 0
    out = capsys.readouterr().out
    assert r"\x1b]0;owned\x07 refused" in out
    assert "\x1b" not in out


def test_of_several_bundles_the_sources_of_each_are_told():
    sources = {"hall": SOURCE | {"bundle": "home"}, "door": SOURCE | {"bundle": "bells"}}
    lines = [line.split() for line in shown(bundle="home, bells", sources=sources)]
    assert ["model", "home:", "hall"] in lines
    assert ["model", "bells:", "door"] in lines
