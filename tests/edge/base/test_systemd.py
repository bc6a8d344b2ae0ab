"""Word to the service manager, over real datagram sockets."""

import socket

import pytest

from ast_edge.base.systemd import notify


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path, monkeypatch):
    """The socket of a service manager."""
    name = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        if request.param == "abstract":
            receiver.bind("\0" + name)
            name = "@" + name
        else:
            receiver.bind(name)
        receiver.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        yield receiver


def test_the_service_manager_gets_all_assignments_in_one_message(manager):
    notify("EXTEND_TIMEOUT_USEC=1000000", "STATUS=building")
    assert manager.recv(4096) == b"EXTEND_TIMEOUT_USEC=1000000\nSTATUS=building"


def test_every_call_is_a_message_of_its_own(manager):
    notify("READY=1")
    notify("STATUS=größer")
    assert [manager.recv(4096).decode() for _ in range(2)] == ["READY=1", "STATUS=größer"]


@pytest.mark.parametrize("value", [None, ""])
def test_without_a_service_manager_nothing_happens(monkeypatch, value):
    def refuse(*arguments):
        raise AssertionError("opened a socket")

    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    if value is not None:
        monkeypatch.setenv("NOTIFY_SOCKET", value)
    monkeypatch.setattr(socket, "socket", refuse)
    notify("READY=1")


def test_a_service_manager_that_is_gone_is_logged(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    notify("READY=1")
    assert caplog.messages == [
        f"NOTIFY_SOCKET={tmp_path}/gone: cannot be reached: No such file or directory"
    ]
