import os
from pathlib import Path

import pytest

from ast_edge.base.errors import BundleError
from ast_edge.model.bundle import find_bundle
from ast_edge.model.installed import bundle_folders, installed_bundles

TAIL = Path("ast-edge", "bundles")


@pytest.fixture(autouse=True)
def machine(monkeypatch, tmp_path):
    for name in ("STATE_DIRECTORY", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_DATA_DIRS", f"{tmp_path}/local:relative:{tmp_path}/share")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)


def install(folder, name):
    (folder / name).mkdir(parents=True)
    (folder / name / "bundle.json").write_text("{}")
    return folder / name


def test_a_user_has_bundles_of_their_own_and_those_of_the_machine(tmp_path):
    assert bundle_folders() == [
        tmp_path / "home/.local/share" / TAIL,
        tmp_path / "local" / TAIL,
        tmp_path / "share" / TAIL,
    ]


def test_root_puts_them_where_a_service_can_read(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert bundle_folders()[0] == tmp_path / "local" / TAIL


def test_a_service_has_its_own_in_its_state(tmp_path, monkeypatch):
    monkeypatch.setenv("STATE_DIRECTORY", f"{tmp_path}/state:{tmp_path}/more")
    assert bundle_folders()[0] == tmp_path / "state" / TAIL


def test_the_first_of_a_name_counts(tmp_path):
    mine = install(tmp_path / "home/.local/share" / TAIL, "a")
    install(tmp_path / "local" / TAIL, "a")
    other = install(tmp_path / "share" / TAIL, "b")
    install(tmp_path / "share" / TAIL, ".half-written")
    assert installed_bundles() == {"a": mine, "b": other}
    assert find_bundle("b") == other


def test_what_ships_with_ast_edge_cannot_be_replaced(tmp_path):
    installed = install(tmp_path / "local" / TAIL, "home")
    assert find_bundle("home") != installed


def test_who_misses_one_is_told_how_to_get_it():
    with pytest.raises(BundleError, match="`ast-edge bundle list` has all"):
        find_bundle("audioset")
