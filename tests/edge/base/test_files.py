import hashlib
import os
from pathlib import Path

import pytest

from ast_edge.base.files import atomic_file, file_sha256, replace_folder, write_files


def listed(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_is_written_takes_the_place_of_what_was_there(tmp_path):
    path = tmp_path / "new" / "a.json"
    path.parent.mkdir()
    for text in ("one", "two"):
        with atomic_file(path, durable=True) as partial:
            partial.write_text(text)
            assert not path.exists() or path.read_text() == "one"
        assert path.read_text() == text
    assert listed(path.parent) == ["a.json"]


def test_a_fault_while_writing_leaves_what_was_there(tmp_path):
    (tmp_path / "a").write_text("before")
    with pytest.raises(UnicodeEncodeError), atomic_file(tmp_path / "a") as partial:
        partial.write_text("half \udcff", encoding="utf-8")
    assert ((tmp_path / "a").read_text(), listed(tmp_path)) == ("before", ["a"])


def test_of_files_that_belong_together_none_changes_if_one_cannot_be_written(tmp_path):
    (tmp_path / "a").write_text("before")
    (tmp_path / "b.partial").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_files({tmp_path / "a": b"after", tmp_path / "b": b"after"})
    assert (tmp_path / "a").read_text() == "before"


def test_the_sum_of_a_file_is_that_of_its_bytes(tmp_path):
    content = bytes(range(256)) * 10_000
    (tmp_path / "a").write_bytes(content)
    assert file_sha256(tmp_path / "a") == hashlib.sha256(content).hexdigest()


def folder_of(path, text):
    path.mkdir()
    (path / "a").write_text(text)
    return path


def test_a_folder_takes_the_place_of_another_which_is_kept_aside(tmp_path):
    folder_of(tmp_path / "place", "one")
    replace_folder(folder_of(tmp_path / "new", "two"), tmp_path / "place", tmp_path / "old")
    assert (tmp_path / "place" / "a").read_text() == "two"
    assert (tmp_path / "old" / "a").read_text() == "one"


def test_a_folder_that_cannot_be_put_in_its_place_leaves_the_other_there(tmp_path, monkeypatch):
    place, new = folder_of(tmp_path / "place", "one"), folder_of(tmp_path / "new", "two")
    rename = Path.rename

    def refuse(path, target):
        if path == new:
            raise OSError(28, "No space left on device")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(OSError, match="No space"):
        replace_folder(new, place, tmp_path / "old")
    assert (place / "a").read_text() == "one"


def test_a_folder_in_its_place_is_readable_by_all_whatever_the_umask(tmp_path):
    before = os.umask(0o077)
    try:
        new = folder_of(tmp_path / "new", "two")
    finally:
        os.umask(before)
    replace_folder(new, tmp_path / "place", tmp_path / "old")
    modes = [path.stat().st_mode & 0o777 for path in (tmp_path / "place", tmp_path / "place/a")]
    assert modes == [0o755, 0o644]
