import io
import json
import multiprocessing
import tarfile

import numpy as np
import pytest
import soundfile

from ast_edge.base.errors import ConfigError
from ast_edge.model.label import Label
from ast_training.datasets.prepare import prepare
from ast_training.datasets.shards import read_shards

LABELS = (Label(0, "Hum", "/m/01"), Label(1, "Whistle", "/m/02"))


def sound(number, suffix="flac", rate=16_000):
    """A recording whose every sample is `number`, encoded."""
    encoded = io.BytesIO()
    samples = np.full(8000, 100 * (number + 1), np.int16)
    soundfile.write(encoded, samples, rate, format=suffix.upper())
    return encoded.getvalue()


def write_shard(path, members, mode="w"):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def two_shards(root):
    for shard, numbers in (("train-0", range(10)), ("val-0", range(10, 14))):
        members = {}
        for number in numbers:
            members[f"{number:05d}.json"] = json.dumps({"labels": ["Hum"]}).encode()
            members[f"{number:05d}.flac"] = sound(number)
        write_shard(root / f"{shard}.tar", members)


def labels_of(root, members, labels=LABELS):
    write_shard(root / "a.tar", members)
    return {clip.name: clip.labels for clip in read_shards(root, labels).clips}


@pytest.mark.parametrize(
    ("suffix", "data"),
    [
        ("json", b'{"labels": ["Whistle", "Hum"]}'),
        ("json", b'{"labels": ["/m/02", "/m/01"], "text": "x"}'),
        ("json", b'{"label": [1, 0]}'),
        ("txt", b"Whistle; Hum\n"),
    ],
)
def test_labels_are_names_ids_or_numbers(tmp_path, suffix, data):
    found = labels_of(tmp_path, {"x.wav": sound(0, "wav"), f"x.{suffix}": data})
    assert found == {"a/x": ("Whistle", "Hum")}


@pytest.mark.parametrize(
    ("suffix", "data"), [("cls", b"1"), ("json", b'{"cls": 1}'), ("json", b'{"label": "Whistle"}')]
)
def test_a_single_label_needs_no_list(tmp_path, suffix, data):
    found = labels_of(tmp_path, {f"x.{suffix}": data, "x.wav": sound(0, "wav")})
    assert found == {"a/x": ("Whistle",)}


def test_a_file_that_says_nothing_of_labels_leaves_it_to_the_other(tmp_path):
    members = {"x.json": b'{"text": "a tone"}', "x.wav": sound(0, "wav"), "x.cls": b"0"}
    assert labels_of(tmp_path, members) == {"a/x": ("Hum",)}


def test_a_key_ends_at_the_first_dot_of_the_name(tmp_path):
    members = {"v1.0/x.left.wav": sound(0, "wav"), "v1.0/x.cls": b"0"}
    assert labels_of(tmp_path, members) == {"a/v1.0/x": ("Hum",)}


def test_labels_are_those_that_occur_if_none_are_given(tmp_path):
    write_shard(tmp_path / "a.tar", {"x.wav": sound(0, "wav"), "x.txt": b"Purr;Hiss"})
    assert [label.name for label in read_shards(tmp_path).labels] == ["Hiss", "Purr"]


def test_the_split_is_in_the_name_of_the_shard(tmp_path):
    two_shards(tmp_path)
    splits = [clip.split for clip in read_shards(tmp_path).clips]
    assert splits == ["train"] * 10 + ["validation"] * 4


def test_the_split_may_be_in_the_name_of_its_folder(tmp_path):
    for split in ("train", "val", "test"):
        write_shard(tmp_path / split / "0.tar", {"x.wav": sound(0, "wav"), "x.cls": b"0"})
    clips = read_shards(tmp_path, LABELS).clips
    assert {clip.name: clip.split for clip in clips} == {
        "train/0/x": "train",
        "val/0/x": "validation",
        "test/0/x": "test",
    }


def test_without_such_names_some_clips_validate(tmp_path):
    members = {f"{n}.wav": sound(n, "wav") for n in range(20)} | {
        f"{n}.cls": b"0" for n in range(20)
    }
    write_shard(tmp_path / "00000.tar", members)
    clips = read_shards(tmp_path, LABELS).clips
    assert sum(clip.split == "validation" for clip in clips) == 3


def test_takes_of_one_source_are_not_divided(tmp_path):
    members = {f"rec{n}_{take}.wav": sound(n, "wav") for n in range(8) for take in range(3)}
    members |= {f"{name.removesuffix('.wav')}.cls": b"0" for name in members}
    write_shard(tmp_path / "00000.tar", members)
    clips = read_shards(tmp_path, LABELS).clips
    assert len({(clip.name.split("_")[0], clip.split) for clip in clips}) == 8


def test_a_link_to_a_shard_makes_no_copies(tmp_path):
    two_shards(tmp_path)
    (tmp_path / "test-0.tar").symlink_to("train-0.tar")
    clips = read_shards(tmp_path)
    assert len(clips.clips) == 14
    assert clips.missing == (f"{tmp_path}/test-0.tar: is {tmp_path}/train-0.tar once more",)


def test_labels_without_a_recording_are_listed(tmp_path):
    write_shard(tmp_path / "a.tar", {"x.wav": sound(0, "wav"), "x.cls": b"0", "y.cls": b"1"})
    assert read_shards(tmp_path, LABELS).missing == (
        f"{tmp_path}/a.tar: y: no recording, by its members' names",
    )


def test_a_film_beside_its_sound_is_left(tmp_path):
    members = {"x.mp4": b"film", "x.wav": sound(0, "wav"), "x.cls": b"0"}
    write_shard(tmp_path / "a.tar", members)
    clip = read_shards(tmp_path, LABELS).clips[0]
    assert clip.size == len(sound(0, "wav"))


@pytest.mark.parametrize("suffix", ["json", "txt"])
def test_a_byte_order_mark_is_no_part_of_a_label(tmp_path, suffix):
    text = '{"labels": ["Hum"]}' if suffix == "json" else "Hum"
    members = {"x.wav": sound(0, "wav"), f"x.{suffix}": text.encode("utf-8-sig")}
    assert labels_of(tmp_path, members) == {"a/x": ("Hum",)}


# Reading


def levels(clips, indices):
    return [float(clips.samples(index).mean() * 32768 / 100) - 1 for index in indices]


def test_clips_are_read_at_random(tmp_path):
    two_shards(tmp_path / "shards")
    clips = prepare(read_shards(tmp_path / "shards"), tmp_path / "set", jobs=1)
    order = [13, 0, 7, 7, 3, 12]
    assert levels(clips, order) == pytest.approx(order)
    assert clips[3].path == tmp_path / "shards" / "train-0.tar"
    assert not (tmp_path / "set" / "audio").exists()


def test_a_member_at_another_rate_is_converted(tmp_path):
    members = {"x.wav": sound(0, "wav", 8000), "x.cls": b"0"}
    write_shard(tmp_path / "train.tar", members)
    clips = prepare(read_shards(tmp_path, LABELS), tmp_path / "set", jobs=1)
    assert clips[0].offset is None
    assert len(clips.samples(0)) == 16_000


def read_in_child(clips, order, results):
    results.put(levels(clips, order))


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # of threads, from 3.12 on
def test_forked_processes_read_one_shard_at_once(tmp_path):
    two_shards(tmp_path / "shards")
    clips = prepare(read_shards(tmp_path / "shards"), tmp_path / "set", jobs=1)
    clips.samples(0)
    fork = multiprocessing.get_context("fork")
    results = fork.SimpleQueue()
    order = np.random.default_rng(0).integers(0, 14, 300).tolist()
    children = [fork.Process(target=read_in_child, args=(clips, order, results)) for _ in range(2)]
    for child in children:
        child.start()
    for _ in children:
        assert results.get() == pytest.approx(order)
    for child in children:
        child.join()


# Shards that cannot be used


def test_a_folder_without_shards_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"expected shards \(\*\.tar\), got none"):
        read_shards(tmp_path)


def test_a_compressed_shard_is_refused(tmp_path):
    write_shard(tmp_path / "a.tar", {"x.wav": sound(0, "wav"), "x.cls": b"0"}, mode="w:gz")
    with pytest.raises(ConfigError, match=r"a\.tar: not an uncompressed, whole tar file"):
        read_shards(tmp_path, LABELS)


@pytest.mark.parametrize("length", [6 * 512, 6 * 512 + 100, 7 * 512 + 3])
def test_a_shard_that_is_cut_short_is_refused(tmp_path, length):
    two_shards(tmp_path)
    path = tmp_path / "train-0.tar"
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ConfigError, match=r"train-0\.tar: not an uncompressed, whole tar file"):
        read_shards(tmp_path)


def test_a_recording_without_labels_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"expected labels of 'x' in one of x\.json, x\.cls"):
        labels_of(tmp_path, {"x.wav": sound(0, "wav")})


def test_numbers_without_names_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="labels are numbers, such as 4: give their names"):
        labels_of(tmp_path, {"x.wav": sound(0, "wav"), "x.cls": b"4"}, labels=None)


def test_a_number_without_a_label_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="the label '4' is not among the 2 labels"):
        labels_of(tmp_path, {"x.wav": sound(0, "wav"), "x.cls": b"4"})


@pytest.mark.parametrize(
    ("name", "data"),
    [("x.cls", b"four"), ("x.json", b"{"), ("x.json", b"3"), ("x.json", b'{"labels": [{}]}')],
)
def test_labels_that_cannot_be_read_are_refused(tmp_path, name, data):
    with pytest.raises(ConfigError, match=rf"a\.tar: {name}: "):
        labels_of(tmp_path, {"x.wav": sound(0, "wav"), name: data})


def test_two_recordings_of_one_key_are_refused(tmp_path):
    members = {"x.wav": sound(0, "wav"), "x.flac": sound(0), "x.cls": b"0"}
    with pytest.raises(ConfigError, match="two recordings have the key 'x'"):
        labels_of(tmp_path, members)
