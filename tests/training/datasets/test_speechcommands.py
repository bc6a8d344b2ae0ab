import csv
from pathlib import Path

import pytest

from ast_edge.base.errors import ConfigError
from ast_training.datasets.speechcommands import hash_split, read_speechcommands

PACK = Path(__file__).parents[4] / "shared/data/speechcommands"
"""Beside the repository, where it is at hand."""
OFFICIAL = {  # from the lists that come with version 2
    "026290a7_nohash_0.wav": "validation",
    "9190045a_nohash_0.wav": "validation",
    "6c88cf25_nohash_0.wav": "validation",
    "3bdf05d3_nohash_3.wav": "validation",
    "4620dc14_nohash_0.wav": "test",
    "cfbedff9_nohash_1.wav": "test",
    "a7216980_nohash_4.wav": "test",
    "692a88e6_nohash_0.wav": "test",
    "00176480_nohash_0.wav": "train",
    "55463c16_nohash_1.wav": "train",
    "a73be046_nohash_0.wav": "train",
}


@pytest.fixture
def root(tmp_path):
    for word in ("left", "one", "_background_noise_"):
        (tmp_path / word).mkdir()
    for name in OFFICIAL:
        (tmp_path / "left" / name).touch()
    (tmp_path / "one" / "55463c16_nohash_0.wav").touch()
    (tmp_path / "_background_noise_" / "pink_noise.wav").touch()
    return tmp_path


def splits(clips):
    return {clip.name: clip.split for clip in clips.clips}


@pytest.mark.parametrize(("name", "split"), OFFICIAL.items())
def test_the_hash_of_the_speaker_gives_the_official_split(name, split):
    assert hash_split(name) == split


def test_without_lists_the_split_is_by_hash(root):
    expected = {f"left/{name}": split for name, split in OFFICIAL.items()}
    assert splits(read_speechcommands(root, ["left"])) == expected


def test_the_source_of_a_recording_is_its_speaker(root):
    groups = {clip.name: clip.group for clip in read_speechcommands(root, ["left", "one"]).clips}
    assert groups["left/55463c16_nohash_1.wav"] == groups["one/55463c16_nohash_0.wav"] == "55463c16"


def test_the_lists_decide_where_they_are(root):
    (root / "validation_list.txt").write_text("one/55463c16_nohash_0.wav\n", "utf-8-sig")
    (root / "testing_list.txt").write_text("left/00176480_nohash_0.wav\n")
    found = splits(read_speechcommands(root, ["left", "one"]))
    others = set(found) - {"one/55463c16_nohash_0.wav", "left/00176480_nohash_0.wav"}
    assert found["one/55463c16_nohash_0.wav"] == "validation"
    assert found["left/00176480_nohash_0.wav"] == "test"
    assert {found[name] for name in others} == {"train"}


def test_one_list_alone_is_refused(root):
    (root / "testing_list.txt").write_text("")
    with pytest.raises(ConfigError, match=r"got only testing_list\.txt"):
        read_speechcommands(root, ["left"])


def test_labels_are_in_the_order_of_the_published_models(root):
    clips = read_speechcommands(root, ["one", "left"])
    assert [(label.index, label.name) for label in clips.labels] == [(0, "left"), (1, "one")]


def test_background_noises_are_left_out(root):
    assert {c.labels for c in read_speechcommands(root, ["one", "left"]).clips} == {
        ("left",),
        ("one",),
    }


def test_a_word_without_a_folder_is_refused_with_those_that_are_there(root):
    with pytest.raises(ConfigError, match=r"got none for backward, .*; choose .*--words left one$"):
        read_speechcommands(root)


def test_an_unknown_word_is_refused(root):
    with pytest.raises(ConfigError, match="'lift' is not among the 35 labels; did you mean 'left'"):
        read_speechcommands(root, ["lift"])


@pytest.mark.skipif(not PACK.is_dir(), reason="needs the Speech Commands pack")
def test_the_split_is_that_of_2481_real_recordings():
    with (PACK / "meta" / "speechcommands.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] != "background"]
    names = {"training": "train", "testing": "test", "validation": "validation"}
    found = splits(read_speechcommands(PACK, ["one", "left", "house", "marvin", "learn", "off"]))
    assert found == {row["filename"]: names[row["split"]] for row in rows}
    assert len(found) == 2481
