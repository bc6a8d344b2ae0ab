import os

import pytest

from ast_edge.base.errors import ConfigError
from ast_training.data.audio_files import find_audio, identity


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def names(root):
    return [path.relative_to(root).as_posix() for path in find_audio(root).audio]


def test_audio_is_found_by_name_in_order_hidden_ones_left_out(tmp_path):
    touch(tmp_path, "b.wav", "a/2.FLAC", "a/1.m4a", ".hidden.wav", ".git/3.wav")
    assert names(tmp_path) == ["a/1.m4a", "a/2.FLAC", "b.wav"]
    assert find_audio(tmp_path).others == []


KINDS = """
    m4a aac mp4 webm wma 3gp mka w64 rf64 caf mp2 oga mkv mov amr aifc
"""


@pytest.mark.parametrize("suffix", KINDS.split())
def test_kinds_that_phones_and_recorders_write_are_found(tmp_path, suffix):
    touch(tmp_path, f"a.{suffix}")
    assert names(tmp_path) == [f"a.{suffix}"]


def test_what_is_no_recording_is_named(tmp_path):
    touch(tmp_path, "a.wav", "notes.txt", "sub/cover.jpg")
    assert find_audio(tmp_path).others == [
        f"{tmp_path}/notes.txt: no recording, by its name",
        f"{tmp_path}/sub/cover.jpg: no recording, by its name",
    ]


def test_a_name_that_is_not_utf_8_is_named(tmp_path):
    (tmp_path / os.fsdecode(b"k\xfcche.wav")).touch()
    assert find_audio(tmp_path).audio == []
    assert find_audio(tmp_path).others == [
        f"{tmp_path}/k\\udcfcche.wav: its name is not UTF-8; rename it"
    ]


def test_links_to_folders_elsewhere_are_followed(tmp_path):
    touch(tmp_path, "elsewhere/1.wav", "here/2.wav")
    (tmp_path / "here" / "more").symlink_to(tmp_path / "elsewhere")
    assert names(tmp_path / "here") == ["2.wav", "more/1.wav"]


@pytest.mark.parametrize("target", [".", "..", "../..", "sub", "sub/deep"])
def test_a_link_to_what_is_searched_anyway_makes_no_copies(tmp_path, target):
    here = tmp_path / "here"
    touch(here, "1.wav", "sub/2.wav", "sub/deep/3.wav")
    (here / "a link").symlink_to(target)
    assert names(here) == ["1.wav", "sub/2.wav", "sub/deep/3.wav"]
    assert find_audio(here).others == [
        f"{here}/a link: is not followed: it leads to what is searched anyway"
    ]


def test_links_that_lead_to_each_other_end(tmp_path):
    touch(tmp_path, "one/1.wav", "two/2.wav")
    (tmp_path / "one" / "two").symlink_to("../two")
    (tmp_path / "two" / "one").symlink_to("../one")
    assert names(tmp_path / "one") == ["1.wav", "two/2.wav"]


def test_a_folder_that_is_none_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="none: no such folder"):
        find_audio(tmp_path / "none")


def test_links_and_hard_links_have_the_identity_of_their_file(tmp_path):
    touch(tmp_path, "a.wav", "b.wav")
    (tmp_path / "link.wav").symlink_to("a.wav")
    (tmp_path / "hard.wav").hardlink_to(tmp_path / "a.wav")
    one = identity(tmp_path / "a.wav")
    assert identity(tmp_path / "link.wav") == identity(tmp_path / "hard.wav") == one
    assert identity(tmp_path / "b.wav") != one
