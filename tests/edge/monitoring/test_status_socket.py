import contextlib
import os
import resource
import socket
import stat
import subprocess
import sys
import threading

import pytest
from rigs.broker.mosquitto import wait_until

from ast_edge.base.errors import ConfigError
from ast_edge.monitoring.status_socket import StatusSocket, ask

ANSWER = b'{"node": "attic"}\n'


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run" / "attic.sock"


@pytest.fixture
def served(path):
    with contextlib.closing(StatusSocket(path, lambda: ANSWER)):
        yield path


def test_everyone_who_asks_gets_the_whole_answer(path):
    answer = b"x" * 1_000_000
    with contextlib.closing(StatusSocket(path, lambda: answer)):
        assert [ask(path), ask(path)] == [answer, answer]


def test_only_its_user_may_open_the_socket(served):
    assert stat.S_IMODE(served.stat().st_mode) == 0o600
    assert stat.S_IMODE(served.parent.stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_who_gets_at_the_socket_is_told_nothing(served):
    served.chmod(0o666)
    served.parent.chmod(0o711)
    client = (
        "import os, socket; os.setuid(65534); s = socket.socket(socket.AF_UNIX); "
        "s.connect('attic.sock'); print(s.recv(10))"
    )
    done = subprocess.run(
        [sys.executable, "-c", client],
        cwd=served.parent,
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.stdout == "b''\n", done.stderr
    assert ask(served) == ANSWER


def test_a_socket_that_was_left_behind_is_replaced(path):
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with pytest.raises(ConnectionRefusedError):
        ask(path)
    with contextlib.closing(StatusSocket(path, lambda: ANSWER)):
        assert ask(path) == ANSWER


def test_a_second_daemon_of_the_node_is_refused(served):
    with pytest.raises(ConfigError, match="another ast-edge with the node 'attic' is running"):
        StatusSocket(served, lambda: b"second")
    assert ask(served) == ANSWER


def test_the_socket_goes_with_the_daemon_and_may_be_made_again(path):
    for _ in range(2):
        StatusSocket(path, lambda: ANSWER).close()
        assert not path.exists()


def test_a_client_that_does_not_read_does_not_keep_others_waiting_for_ever(path, monkeypatch):
    monkeypatch.setattr("ast_edge.monitoring.status_socket.TIMEOUT", 0.2)
    answer = b"x" * 10_000_000
    served = contextlib.closing(StatusSocket(path, lambda: answer))
    with served, socket.socket(socket.AF_UNIX) as idle:
        idle.connect(str(path))
        assert ask(path) == answer


def test_a_folder_that_cannot_be_used_costs_a_warning_only(tmp_path, caplog):
    (tmp_path / "run").touch()
    with contextlib.closing(StatusSocket(tmp_path / "run" / "attic.sock", lambda: ANSWER)):
        pass
    assert "cannot be made" in caplog.text


def test_a_path_that_is_too_long_costs_a_warning_only(tmp_path, caplog):
    path = tmp_path / ("x" * 100) / "attic.sock"
    with contextlib.closing(StatusSocket(path, lambda: ANSWER)):
        pass
    assert "cannot be made" in caplog.text
    assert not any(thread.name == "status" for thread in threading.enumerate())


def test_an_answer_that_fails_is_not_the_last(path, caplog):
    answers = iter([ValueError("Out of range float values"), OSError(5, "no /proc"), ANSWER])

    def answer():
        if isinstance(made := next(answers), Exception):
            raise made
        return made

    with contextlib.closing(StatusSocket(path, answer)):
        for _ in range(2):
            with pytest.raises(PermissionError, match="does not answer this user, or cannot"):
                ask(path)
        assert ask(path) == ANSWER
    assert [r.exc_info[0] for r in caplog.records] == [ValueError, OSError]


def test_a_process_without_free_descriptors_answers_when_it_has_some(path, monkeypatch, caplog):
    monkeypatch.setattr("ast_edge.base.worker.PAUSE", 0.01)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.closing(StatusSocket(path, lambda: ANSWER)):
        with socket.socket(socket.AF_UNIX) as client:
            # None at all: a thread that waits for a client already holds one for it.
            resource.setrlimit(resource.RLIMIT_NOFILE, (1, before[1]))
            try:
                client.connect(str(path))
                wait_until(lambda: "Too many open files" in caplog.text)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, before)
        assert ask(path) == ANSWER
