import os
import stat

import pytest
from rigs import tmpfs

from ast_edge.hub.errors import StorageError
from ast_edge.hub.shelf import new_bundle, take_in
from ast_edge.model.bundle import find_bundle
from ast_edge.model.installed import bundle_folders, installed_bundles


def shelf():
    return bundle_folders()[0]


def names():
    return [path.name for path in shelf().iterdir()]


def test_a_bundle_is_there_when_it_is_complete():
    with new_bundle("mine") as folder:
        (folder / "bundle.json").write_text("{}")
        assert installed_bundles() == {}
    assert find_bundle("mine") == shelf() / "mine"
    assert names() == ["mine"]


def test_what_fails_leaves_the_older_one():
    with new_bundle("mine") as folder:
        (folder / "bundle.json").write_text("old")
    with pytest.raises(ZeroDivisionError), new_bundle("mine") as folder:
        (folder / "bundle.json").write_text(f"new {1 / 0}")
    assert (shelf() / "mine" / "bundle.json").read_text() == "old"
    assert names() == ["mine"]


def test_others_may_read_it_whatever_root_leaves_to_others(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    mask = os.umask(0o077)
    try:
        with new_bundle("mine") as folder:
            (folder / "bundle.json").write_text("{}")
    finally:
        os.umask(mask)
    bundle = shelf() / "mine"
    paths = (bundle / "bundle.json", bundle, shelf(), shelf().parent)
    modes = [oct(stat.S_IMODE(path.stat().st_mode)) for path in paths]
    assert modes == ["0o644", "0o755", "0o755", "0o755"]


@pytest.mark.parametrize("link", [True, False])
def test_files_are_taken_in_as_links_or_copies(tmp_path, link):
    (tmp_path / "source").write_text("graph")
    with new_bundle("mine") as folder:
        take_in(folder, {"model.onnx": tmp_path / "source"}, link=link)
    taken = shelf() / "mine" / "model.onnx"
    assert taken.read_text() == "graph"
    assert taken.samefile(tmp_path / "source") is link


@pytest.mark.root
@pytest.mark.skipif(bool(tmpfs.available()), reason=tmpfs.available())
def test_a_full_disk_is_said_and_leaves_nothing_half(tmp_path, monkeypatch):
    (tmp_path / "source").write_bytes(bytes(1 << 20))
    with tmpfs.mounted(tmp_path / "small", "256k") as folder:
        monkeypatch.setenv("STATE_DIRECTORY", str(folder))
        with (
            pytest.raises(StorageError, match="No space left on device"),
            new_bundle("mine") as bundle,
        ):
            take_in(bundle, {"model.onnx": tmp_path / "source"}, link=True)
        assert names() == []


def test_a_folder_that_cannot_be_made_is_said(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "file"))
    with pytest.raises(StorageError, match="cannot be written"), new_bundle("mine"):
        pass
