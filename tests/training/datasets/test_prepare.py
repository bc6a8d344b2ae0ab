import gc
import json
import os
import resource
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from rigs.sound.encoded import encode, needs_ffmpeg
from rigs.training.clip_lists import LABELS, four_clips, write_noise
from rigs.training.packs import tone

from ast_edge.base.errors import ConfigError
from ast_edge.frontend.fbank import FbankSpec, fbank
from ast_training.base.errors import TrainingError
from ast_training.data.clip_list import ClipList, RawClip
from ast_training.data.clips import ClipSet
from ast_training.datasets.prepare import prepare


def listed(*paths, **fields):
    return ClipList("x", LABELS, [RawClip(p.name, p, ("Hum",), **fields) for p in paths])


@pytest.fixture
def good(tmp_path):
    write_noise(tmp_path / "good.wav", 0)
    return tmp_path / "good.wav"


# What is kept and what is converted


def test_a_recording_at_16_khz_is_used_where_it_is(good, tmp_path):
    clips = prepare(listed(good), tmp_path / "set", jobs=1)
    assert clips[0].path == good
    assert not (tmp_path / "set" / "audio").exists()


def test_stereo_at_another_rate_is_converted(tmp_path):
    stereo = np.stack([tone(440, 1.0), np.zeros(16000, np.float32)], axis=1)
    soundfile.write(tmp_path / "a.wav", np.repeat(stereo, 3, axis=0), 48_000, subtype="FLOAT")
    clips = prepare(listed(tmp_path / "a.wav"), tmp_path / "set", jobs=1)
    info = soundfile.info(clips[0].path)
    assert (info.format, info.subtype, info.samplerate) == ("FLAC", "PCM_16", 16_000)
    assert (info.channels, info.frames) == (1, 16_000)
    assert clips[0].path.is_relative_to(tmp_path / "set" / "audio")


@needs_ffmpeg
@pytest.mark.parametrize("name", ["a.m4a", "a.mp3"])
def test_what_only_ffmpeg_reads_is_converted_once_and_needs_no_ffmpeg_any_more(
    tmp_path, monkeypatch, name
):
    encode(tmp_path / name, 2, "-ar", "16000", "-ac", "1", "-write_xing", "0")
    clips = prepare(listed(tmp_path / name), tmp_path / "set", jobs=1)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert len(clips.samples(0)) == pytest.approx(32_000, abs=3200)


def test_a_converted_recording_is_named_relative_to_the_folder(tmp_path):
    write_noise(tmp_path / "a.wav", 0, rate=8000)
    prepare(listed(tmp_path / "a.wav"), tmp_path / "set", jobs=1)
    row = json.loads((tmp_path / "set" / "clips.jsonl").read_text())
    assert row["path"].startswith("audio/")


def test_samples_beyond_full_scale_are_clipped(tmp_path):
    path = tmp_path / "loud.wav"
    soundfile.write(path, np.array([2.0, -2.0, 0.5] * 500), 16_000, subtype="FLOAT")
    clips = prepare(listed(path), tmp_path / "set", jobs=1, copy=True)
    np.testing.assert_allclose(clips.samples(0)[:3], [1.0, -1.0, 0.5], atol=1e-4)


def test_copies_make_the_folder_independent(good, tmp_path):
    expected, _ = soundfile.read(good, dtype="float32")
    prepare(listed(good), tmp_path / "set", jobs=1, copy=True)
    good.unlink()
    (tmp_path / "set").rename(tmp_path / "moved")
    np.testing.assert_array_equal(ClipSet.open(tmp_path / "moved").samples(0), expected)


def test_a_second_call_does_not_convert_again(tmp_path):
    write_noise(tmp_path / "a.wav", 0, rate=8000)
    first = prepare(listed(tmp_path / "a.wav"), tmp_path / "set", jobs=1)
    inode = first[0].path.stat().st_ino
    again = prepare(listed(tmp_path / "a.wav"), tmp_path / "set", jobs=1)
    assert again[0].path.stat().st_ino == inode
    assert (again.mean, again.std) == (first.mean, first.std)


def test_a_recording_that_has_changed_is_converted_again(tmp_path):
    write_noise(tmp_path / "a.wav", 0, rate=8000)
    prepare(listed(tmp_path / "a.wav"), tmp_path / "set", jobs=1)
    write_noise(tmp_path / "a.wav", 0, rate=8000, seconds=2.0)
    assert prepare(listed(tmp_path / "a.wav"), tmp_path / "set", jobs=1).seconds[0] == 2.0


def test_other_sound_of_the_same_time_and_size_is_converted_again(tmp_path):
    path = tmp_path / "a.wav"
    write_noise(path, 0, rate=8000)
    before, status = prepare(listed(path), tmp_path / "set", jobs=1).samples(0), path.stat()
    write_noise(path, 1, rate=8000)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (status.st_size, status.st_mtime_ns)
    assert not np.array_equal(prepare(listed(path), tmp_path / "set", jobs=1).samples(0), before)


def test_a_conversion_that_is_damaged_is_made_again(tmp_path):
    write_noise(tmp_path / "a.wav", 0, rate=8000)
    clips = prepare(listed(tmp_path / "a.wav"), tmp_path / "set", jobs=1)
    before = clips.samples(0)
    clips[0].path.write_bytes(b"fLaC")
    again = prepare(listed(tmp_path / "a.wav"), tmp_path / "set", jobs=1)
    np.testing.assert_array_equal(again.samples(0), before)


def test_fbanks_of_a_former_call_are_not_kept(tmp_path):
    write_noise(tmp_path / "a.wav", 0)
    prepare(listed(tmp_path / "a.wav"), tmp_path / "set", jobs=1, cache_features=True)
    write_noise(tmp_path / "a.wav", 1)
    clips = prepare(listed(tmp_path / "a.wav"), tmp_path / "set", jobs=1)
    expected = fbank(clips.samples(0), FbankSpec())
    np.testing.assert_array_equal(clips.fbank(0, FbankSpec()), expected)


def test_names_that_leave_the_folder_stay_in_it(tmp_path):
    write_noise(tmp_path / "a.wav", 0, rate=8000)
    names = ["../../a.wav", "/a.wav", "x/a", "x_a", "é" * 300, "狗" * 300]
    clips = [RawClip(name, tmp_path / "a.wav", ()) for name in names]
    prepared = prepare(ClipList("x", LABELS, clips), tmp_path / "set", jobs=1)
    paths = {clip.path.resolve() for clip in prepared}
    assert len(paths) == len(names)
    assert all(path.is_relative_to(tmp_path / "set" / "audio") for path in paths)


# What is left out


def bad_files(folder):
    """One file of each kind of damage, by name, with the reason that is given for it."""
    folder.mkdir()
    (folder / "zero.wav").write_bytes(b"")
    (folder / "text.wav").write_text("this is not sound" * 20)
    write_noise(folder / "whole.flac", 0)
    encoded = (folder / "whole.flac").read_bytes()
    (folder / "truncated.flac").write_bytes(encoded[: len(encoded) // 2])
    soundfile.write(folder / "silent.wav", np.full(8000, 9e-5), 16_000, subtype="FLOAT")
    soundfile.write(folder / "nan.wav", np.full(8000, np.nan), 16_000, subtype="FLOAT")
    soundfile.write(folder / "empty.wav", np.zeros(0), 16_000)
    write_noise(folder / "short.wav", 0, seconds=0.024)
    return {
        "missing.wav": "cannot be read: No such file",
        "zero.wav": "is empty",
        "text.wav": "something else",
        "truncated.flac": "is damaged or cut short",
        "silent.wav": "silent",
        "nan.wav": "not finite",
        "empty.wav": "holds no sample",
        "short.wav": "shorter than a frame of 25 ms",
    }


def test_what_cannot_be_used_is_left_out_and_listed(good, tmp_path):
    reasons = bad_files(tmp_path / "bad")
    bad = [tmp_path / "bad" / name for name in reasons]
    clips = prepare(listed(*bad[:4], good, *bad[4:]), tmp_path / "set", jobs=2)
    assert [clip.name for clip in clips] == ["good.wav"]
    assert clips.skipped == len(reasons)
    lines = (tmp_path / "set" / "skipped.txt").read_text().splitlines()
    for line, (name, reason) in zip(lines, reasons.items(), strict=True):
        assert f"{name}: " in line
        assert reason in line


def test_what_the_data_set_itself_lacks_is_listed_too(good, tmp_path):
    clips = prepare(replace(listed(good), missing=("b: no audio",)), tmp_path / "set", jobs=1)
    assert clips.skipped == 1
    assert (tmp_path / "set" / "skipped.txt").read_text() == "b: no audio\n"


def test_silence_can_be_kept(good, tmp_path):
    soundfile.write(tmp_path / "silent.wav", np.zeros(8000), 16_000)
    raw = listed(good, tmp_path / "silent.wav")
    assert len(prepare(raw, tmp_path / "set", jobs=1, keep_silent=True)) == 2


@pytest.mark.parametrize("how", ["bad", "test"])
def test_nothing_to_train_on_is_an_error_and_changes_nothing(good, tmp_path, how):
    before = prepare(listed(good), tmp_path / "set", jobs=1)
    raw = listed(tmp_path / "none.wav") if how == "bad" else listed(good, split="test")
    with pytest.raises(ConfigError, match="no recording to train on is left of 1: "):
        prepare(raw, tmp_path / "set", jobs=1)
    assert ClipSet.open(tmp_path / "set")[0] == before[0]


# Statistics and the description


def test_statistics_are_those_of_the_fbanks_to_train_on(tmp_path):
    clips = prepare(four_clips(tmp_path / "source"), tmp_path / "set", jobs=1)
    values = np.concatenate([fbank(clips.samples(index), FbankSpec()) for index in (0, 1)])
    assert clips.mean == pytest.approx(values.mean(dtype=np.float64), rel=1e-9)
    assert clips.std == pytest.approx(values.std(dtype=np.float64), rel=1e-9)


def test_the_description_counts_clips_and_seconds(tmp_path):
    prepare(four_clips(tmp_path / "source"), tmp_path / "set", jobs=1)
    tree = json.loads((tmp_path / "set" / "set.json").read_text())
    assert tree["clips"] == {"train": 2, "validation": 1, "test": 1}
    assert tree["seconds"] == 2.6
    assert tree["labels"][0] == {"index": 0, "name": "Hum", "mid": "/m/01"}


def test_any_number_of_processes_makes_the_same_set(tmp_path):
    raw = four_clips(tmp_path / "source")
    for jobs in (1, 2):
        prepare(raw, tmp_path / f"set{jobs}", jobs=jobs, cache_features=True)
    for name in ("clips.jsonl", "set.json", "fbank.npy", "fbank.json"):
        assert (tmp_path / "set1" / name).read_bytes() == (tmp_path / "set2" / name).read_bytes()


def test_a_full_disk_stops_and_leaves_what_was_there(good, tmp_path):
    before = prepare(listed(good), tmp_path / "set", jobs=1)
    write_noise(tmp_path / "a.wav", 0, rate=8000)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        with pytest.raises(TrainingError, match=r"\.flac: cannot be written"):
            prepare(listed(good, tmp_path / "a.wav"), tmp_path / "set", jobs=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    gc.collect()  # from Python 3.13 on a buffer that is still viewed at its end is an error
    assert ClipSet.open(tmp_path / "set")[0] == before[0]
    assert not list((tmp_path / "set").rglob("*.partial"))


def test_a_recording_of_ten_minutes_is_a_clip_like_any_other(tmp_path):
    write_noise(tmp_path / "long.wav", 0, seconds=600)
    clips = prepare(listed(tmp_path / "long.wav"), tmp_path / "set", jobs=1)
    assert clips.fbank(0, FbankSpec()).shape == (59_998, 128)
