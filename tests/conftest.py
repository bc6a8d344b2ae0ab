"""Fixtures for all tests."""

import pytest

from ast_edge.base import secret_values


@pytest.fixture(autouse=True)
def state_folder(tmp_path_factory, monkeypatch):
    """A daemon under test remembers nothing of the user's, and nothing of another test."""
    folder = tmp_path_factory.mktemp("state")
    monkeypatch.setenv("STATE_DIRECTORY", str(folder))
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(folder / "run"))
    return folder


@pytest.fixture(autouse=True, scope="session")
def cache_folder(tmp_path_factory):
    """What tests keep for the next time they keep away from the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def no_secrets(monkeypatch):
    """What one test hides is shown in the others."""
    monkeypatch.setattr(secret_values, "_shown", {})
    monkeypatch.setattr(secret_values, "_pattern", None)
