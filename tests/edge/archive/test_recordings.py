"""Names become recordings, and recordings parts of an archive."""

import io
import os
import sys

import pytest

from ast_edge.archive.errors import ArchiveError
from ast_edge.archive.recordings import Shard, find_recordings, parse_shard, read_list, shown_path


@pytest.fixture
def folder(tmp_path):
    for name in ("b.wav", "a.FLAC", "notes.txt", ".hidden.wav", "sub/c.mp3", ".trash/d.wav"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    return tmp_path


def names(folder, *given):
    found = find_recordings([str(folder)] if not given else list(given))
    return [os.fsdecode(path).removeprefix(f"{folder}/") for path in found]


def test_a_folder_stands_for_all_recordings_below(folder):
    assert names(folder) == ["a.FLAC", "b.wav", "sub/c.mp3"]


def test_a_file_that_is_named_is_taken_whatever_its_name(folder):
    assert names(folder, f"{folder}/notes.txt", f"{folder}//./b.wav") == ["notes.txt", "b.wav"]


def test_a_pattern_stands_for_what_fits(folder):
    assert names(folder, f"{folder}/**/*.[mw]*") == ["b.wav", "sub/c.mp3"]


def test_a_name_with_the_signs_of_a_pattern_is_itself(folder):
    (folder / "x[1].wav").touch()
    (folder / "x1.wav").touch()
    assert names(folder, f"{folder}/x[1].wav") == ["x[1].wav"]


def test_a_pattern_that_fits_nothing_is_refused(folder):
    with pytest.raises(ArchiveError, match="nothing has such a name"):
        names(folder, f"{folder}/*.aiff")


def test_a_folder_that_leads_back_to_itself_is_searched_once(folder, caplog):
    (folder / "sub" / "loop").symlink_to(folder)
    (folder / "circle").symlink_to(folder / "circle")
    (folder / "twice").symlink_to(folder / "sub")
    assert names(folder) == ["a.FLAC", "b.wav", "sub/c.mp3"]
    assert "searched before" in caplog.text


def test_a_folder_may_be_a_link_to_elsewhere(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    (other / "e.ogg").touch()
    (folder / "zelda").symlink_to(other)
    assert names(folder)[-1] == "zelda/e.ogg"


def test_names_with_newlines_and_without_utf_8_are_found(tmp_path):
    for name in (b"two\nlines.wav", b"caf\xe9.wav"):
        open(os.fsencode(tmp_path) + b"/" + name, "w").close()  # noqa: PTH123
    found = [path.rpartition(b"/")[2] for path in find_recordings([str(tmp_path)])]
    assert set(found) == {b"two\nlines.wav", b"caf\xe9.wav"}
    assert sorted(map(shown_path, found))[0] == "caf\\xe9.wav"


@pytest.mark.parametrize(
    ("content", "null", "expected"),
    [
        (b"a.wav\nb c.wav\n\n", False, [b"a.wav", b"b c.wav"]),
        (b"\xef\xbb\xbfa.wav\r\nb.wav", False, [b"a.wav", b"b.wav"]),
        (b"./a.wav\0two\nlines.wav\0", True, [b"a.wav", b"two\nlines.wav"]),
        (b"caf\xe9.wav\n", False, [b"caf\xe9.wav"]),
        (b"", False, []),
    ],
    ids=["lines", "Windows", "NUL", "Latin-1", "empty"],
)
def test_a_list_has_a_name_in_each_line(content, null, expected, tmp_path, monkeypatch):
    (tmp_path / "list").write_bytes(content)
    assert list(read_list(str(tmp_path / "list"), null=null)) == expected
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert list(read_list("-", null=null)) == expected


def test_a_list_that_is_not_there_is_said(tmp_path):
    with pytest.raises(ArchiveError, match="cannot be read: No such file"):
        list(read_list(str(tmp_path / "missing"), null=False))


def test_every_recording_is_in_one_shard_and_stays_there():
    paths = [f"folder/{number}.wav".encode() for number in range(1000)]
    shards = [Shard(number, 7) for number in range(1, 8)]
    counts = [sum(path in shard for shard in shards) for path in paths]
    assert set(counts) == {1}
    assert all(100 < sum(path in shard for path in paths) < 190 for shard in shards)


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "a/b", "1/0", "-1/2", "1/2/3"])
def test_a_shard_that_cannot_be_is_refused(text):
    with pytest.raises(ValueError, match="expected a shard"):
        parse_shard(text)
