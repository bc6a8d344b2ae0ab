import logging
import pickle
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from rigs.full_disk import files_end_at
from rigs.training.clip_lists import RATE, prepared, write_noise

from ast_edge.base.errors import AudioError
from ast_training.data import clips as clips_module
from ast_training.data import decoded_clips
from ast_training.data.clip_list import ClipList, RawClip
from ast_training.data.decoded_clips import with_decoded
from ast_training.datasets.prepare import prepare

ALL = np.arange(4)


@pytest.fixture
def clips(tmp_path):
    return prepared(tmp_path)


@pytest.fixture
def store(tmp_path):
    return tmp_path / "store"


@pytest.fixture
def decoded(monkeypatch):
    """The names of the clips that have been decoded, in order."""
    found, decode = [], clips_module.decode

    def counting(audio):
        found.append(audio.path.name)
        return decode(audio)

    monkeypatch.setattr(clips_module, "decode", counting)
    return found


def assert_same_samples(one, other):
    for index in range(len(other)):
        np.testing.assert_array_equal(one.samples(index), other.samples(index))


def test_a_clip_is_decoded_once_for_all_epochs_and_trainings(clips, store, decoded):
    for _ in range(2):
        kept = with_decoded(clips, ALL, store)
        for index in (*ALL, *ALL):
            kept.samples(index)
    assert decoded == ["0.wav", "1.wav", "2.wav", "3.wav"]


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
def test_the_samples_are_the_same_whether_they_are_kept_or_not(tmp_path, store, subtype):
    sound = np.random.default_rng(0).normal(0, 0.2, RATE)
    soundfile.write(tmp_path / "a.wav", sound, RATE, subtype=subtype)
    labels = prepared(tmp_path / "others").labels
    listed = ClipList("x", labels, [RawClip("a", tmp_path / "a.wav", ("Hum",))])
    clips = prepare(listed, tmp_path / "one", jobs=1)
    assert_same_samples(with_decoded(clips, np.arange(1), store), clips)


def test_only_clips_that_will_be_read_are_decoded(clips, store, decoded):
    with_decoded(clips, np.array([2]), store)
    assert decoded == ["2.wav"]


def test_a_large_set_fills_no_disk_unasked(clips, monkeypatch, caplog, decoded):
    monkeypatch.setattr(decoded_clips, "UNASKED_BYTES", 80_000)
    with caplog.at_level(logging.INFO):
        assert with_decoded(clips, ALL, None) is clips
    assert "loop.decoded names a folder" in caplog.text
    assert decoded == []


def test_a_large_set_is_kept_where_a_folder_is_asked_for(clips, store, monkeypatch):
    monkeypatch.setattr(decoded_clips, "UNASKED_BYTES", 80_000)
    assert len(with_decoded(clips, ALL, store).decoded) == 4


def test_a_set_takes_no_more_than_half_of_the_free_disk_unasked(clips, monkeypatch):
    monkeypatch.setattr(decoded_clips, "free_bytes", lambda folder: 160_000)
    assert not with_decoded(clips, ALL, None).decoded
    monkeypatch.setattr(decoded_clips, "free_bytes", lambda folder: 170_000)
    assert len(with_decoded(clips, ALL, None).decoded) == 4


def test_memory_writes_nothing_and_decodes_each_time(clips, decoded):
    kept = with_decoded(clips, ALL, "memory")
    assert [len(kept.samples(0)), len(kept.samples(0))] == [8000, 8000]
    assert decoded == ["0.wav", "0.wav"]


def test_clips_in_shards_are_not_decoded_beforehand(clips, store, decoded):
    sharded = replace(clips, table=replace(clips.table, offsets=np.arange(4)))
    assert with_decoded(sharded, ALL, store) is sharded
    assert decoded == []


def test_a_clip_that_was_replaced_by_another_rate_is_refused_when_it_is_read(clips, store):
    write_noise(clips[1].path, 5, rate=8000)
    kept = with_decoded(clips, ALL, store)
    assert len(kept.decoded) == 3
    with pytest.raises(AudioError, match="run ast-train prepare again"):
        kept.samples(1)


def test_a_full_disk_costs_no_clip(clips, store, caplog):
    with files_end_at(20_000):
        kept = with_decoded(clips, ALL, store)
    assert_same_samples(kept, clips)
    assert "clips are decoded anew each time" in caplog.text


def test_what_is_kept_can_be_sent_to_another_process(clips, store):
    kept = with_decoded(clips, ALL, store)
    assert_same_samples(pickle.loads(pickle.dumps(kept)), clips)  # noqa: S301
