from pathlib import Path

import pytest

from ast_edge.base.errors import ConfigError
from ast_edge.base.state_folder import state_folder


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/someone")


def test_the_folder_of_the_service_comes_first(monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/ast-edge:/var/lib/other")
    assert state_folder() == Path("/var/lib/ast-edge")


def test_the_folder_of_the_user_comes_second(monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert state_folder() == Path("/state/ast-edge")


@pytest.mark.parametrize("folder", ["", "relative"])
def test_a_folder_that_is_not_absolute_is_ignored(folder, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", folder)
    assert state_folder() == Path("/home/someone/.local/state/ast-edge")


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch):
    def homeless(cls):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", classmethod(homeless))
    with pytest.raises(ConfigError, match="set XDG_STATE_HOME"):
        state_folder()
