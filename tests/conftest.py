"""Fixtures for all tests."""

import pytest


@pytest.fixture(autouse=True)
def state_folder(tmp_path_factory, monkeypatch):
    """A daemon under test remembers nothing of the user's, and nothing of another test."""
    folder = tmp_path_factory.mktemp("state")
    monkeypatch.setenv("STATE_DIRECTORY", str(folder))
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(folder / "run"))
    return folder
