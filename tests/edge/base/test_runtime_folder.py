from pathlib import Path

import pytest

from ast_edge.base.runtime_folder import find_sockets, runtime_folder


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    monkeypatch.delenv("RUNTIME_DIRECTORY")
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)


def test_the_folder_of_the_service_comes_first(monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1000")
    monkeypatch.setenv("RUNTIME_DIRECTORY", "/run/ast-edge:/run/other")
    assert runtime_folder() == Path("/run/ast-edge")


def test_the_folder_of_the_user_comes_second(monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1000")
    assert runtime_folder() == Path("/run/user/1000/ast-edge")


@pytest.mark.parametrize("folder", ["", "relative"])
def test_without_either_it_is_the_folder_for_state(folder, monkeypatch, state_folder):
    monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
    assert runtime_folder() == state_folder


def test_sockets_are_found_wherever_a_daemon_of_the_user_may_have_put_them(
    monkeypatch, tmp_path, state_folder
):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "ast-edge").mkdir()
    wanted = [tmp_path / "ast-edge/attic.sock", state_folder / "hall.sock"]
    for path in wanted:
        path.touch()
    (tmp_path / "ast-edge/attic.lock").touch()
    assert [path for path in find_sockets() if path in wanted] == wanted
