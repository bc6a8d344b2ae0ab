import json
import pickle

import numpy as np
import pytest
import soundfile
from rigs.training.clip_lists import LABELS, four_clips, prepared

from ast_edge.base.errors import AudioError, ConfigError
from ast_edge.frontend.fbank import FbankSpec, fbank
from ast_training.data.clips import Clip, ClipSet
from ast_training.datasets.prepare import prepare

SPEC = FbankSpec()


@pytest.fixture
def clips(tmp_path):
    return prepared(tmp_path)


def test_a_clip_comes_back_as_it_was_listed(clips, tmp_path):
    assert len(clips) == 4
    assert clips[1] == Clip(
        "clip 1", tmp_path / "source" / "1.wav", (0, 2), split="train", fold=2, group="clip"
    )
    assert clips[2].labels == ()


def test_knows_its_labels_and_licence(clips):
    assert (clips.dataset, clips.labels, clips.licence) == ("Noises", LABELS, "CC0")


def test_names_of_any_script_come_back(tmp_path):
    listed = four_clips(tmp_path / "source")
    names = ["Tür 1", "扉", "a\nb", "d"]
    for clip, name in zip(listed.clips, names, strict=True):
        object.__setattr__(clip, "name", name)
    clips = prepare(listed, tmp_path / "set", jobs=1)
    assert [clips[index].name for index in range(4)] == names


@pytest.mark.parametrize("index", [-1, 4])
def test_there_is_no_clip_beyond_the_ends(clips, index):
    with pytest.raises(IndexError):
        clips[index]


def test_iterating_ends(clips):
    assert [clip.name for clip in clips] == ["clip 0", "clip 1", "clip 2", "clip 3"]


def test_lengths_are_in_seconds(clips):
    np.testing.assert_allclose(clips.seconds, [0.5, 0.6, 0.7, 0.8])


def test_samples_are_those_of_the_file(clips, tmp_path):
    expected, _ = soundfile.read(tmp_path / "source" / "3.wav", dtype="float32")
    np.testing.assert_array_equal(clips.samples(3), expected)


def test_fbank_is_that_of_the_samples(clips):
    np.testing.assert_array_equal(clips.fbank(0, SPEC), fbank(clips.samples(0), SPEC))


def test_a_target_marks_every_label(clips):
    assert clips.target(1).tolist() == [1, 0, 1]
    assert clips.target(2).tolist() == [0, 0, 0]
    assert clips.target(1).dtype == np.float32


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({}, [0, 1, 2, 3]),
        ({"splits": ["train"]}, [0, 1]),
        ({"splits": ["validation", "test"]}, [2, 3]),
        ({"folds": [2]}, [1, 3]),
        ({"splits": ["train"], "folds": [2, 3]}, [1]),
        ({"folds": []}, []),
    ],
)
def test_selects_by_split_and_fold(clips, chosen, expected):
    assert clips.select(**chosen).tolist() == expected


def test_an_unknown_split_is_refused(clips):
    with pytest.raises(ConfigError, match="got 'eval'"):
        clips.select(splits=["eval"])


def test_counts_the_clips_of_each_label(clips):
    assert clips.counts(clips.select()).tolist() == [2, 1, 1]
    assert clips.counts(np.array([1, 1, 3])).tolist() == [2, 1, 2]
    assert clips.counts(np.array([], np.int64)).tolist() == [0, 0, 0]


def test_can_be_sent_to_another_process(clips):
    copy = pickle.loads(pickle.dumps(clips))  # noqa: S301
    assert copy[3] == clips[3]
    np.testing.assert_array_equal(copy.samples(3), clips.samples(3))


def test_the_columns_cannot_be_changed(clips):
    with pytest.raises(ValueError, match="read-only"):
        clips.seconds[0] = 1


def test_a_recording_that_was_replaced_by_another_rate_is_refused(clips, tmp_path):
    soundfile.write(tmp_path / "source" / "0.wav", np.zeros((100, 2)), 44_100)
    with pytest.raises(AudioError, match=r"0\.wav: expected mono at 16000 Hz, got 2 channels at"):
        clips.samples(0)


# Folders that are none


def test_a_folder_that_was_not_prepared_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="not a prepared set; run ast-train prepare"):
        ClipSet.open(tmp_path)


def test_another_format_is_refused(clips):
    path = clips.folder / "set.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 99}))
    with pytest.raises(ConfigError, match="expected format 1, got 99"):
        ClipSet.open(clips.folder)


@pytest.mark.parametrize("text", ["[]", "{", '{"format": 1}'])
def test_a_damaged_description_is_refused(clips, text):
    (clips.folder / "set.json").write_text(text)
    with pytest.raises(ConfigError, match=r"set\.json: damaged"):
        ClipSet.open(clips.folder)


def test_clips_that_are_not_those_described_are_refused(clips):
    path = clips.folder / "clips.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:3]))
    with pytest.raises(ConfigError, match="disagree"):
        ClipSet.open(clips.folder)
