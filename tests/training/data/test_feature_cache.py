import logging
import pickle

import numpy as np
import pytest
from rigs.training.clip_lists import prepared, write_noise

from ast_edge.base.errors import AudioError
from ast_edge.frontend.fbank import FbankSpec, fbank
from ast_training.data.clips import ClipSet
from ast_training.data.feature_cache import write_cache

SPEC = FbankSpec()


@pytest.fixture
def clips(tmp_path):
    return prepared(tmp_path, cache_features=True)


def test_holds_the_fbank_of_every_clip_as_float16(clips):
    for index in range(len(clips)):
        expected = fbank(clips.samples(index), SPEC).astype(np.float16)
        # A product of more threads may round its last bit otherwise, and so the half precision.
        np.testing.assert_allclose(clips.fbank(index, SPEC), expected.astype(float), rtol=2**-10)


def test_is_read_without_the_recordings(clips, tmp_path):
    (tmp_path / "source" / "2.wav").unlink()
    assert clips.fbank(2, SPEC).shape == (68, 128)


def test_is_a_plain_array_of_all_frames(clips):
    array = np.load(clips.folder / "fbank.npy", mmap_mode="r")
    assert array.shape == (sum(SPEC.frames_in(n) for n in (8000, 9600, 11200, 12800)), 128)
    np.testing.assert_array_equal(array[-78:], clips.fbank(3, SPEC))


def test_another_front_end_is_computed(clips):
    spec = FbankSpec(mel_bins=64)
    np.testing.assert_array_equal(clips.fbank(1, spec), fbank(clips.samples(1), spec))


def test_a_set_without_a_cache_has_none(tmp_path):
    assert prepared(tmp_path).cache is None


def test_a_cache_of_other_clips_is_not_used(clips, caplog):
    path = clips.folder / "clips.jsonl"
    path.write_text(path.read_text().replace("clip 0", "clip zero"))
    with caplog.at_level(logging.WARNING):
        assert ClipSet.open(clips.folder).cache is None
    assert "made of other clips" in caplog.text


@pytest.mark.parametrize("text", ["{", "{}", '{"fbank": {"bins": 3}}'])
def test_a_damaged_description_is_not_used(clips, caplog, text):
    (clips.folder / "fbank.json").write_text(text)
    with caplog.at_level(logging.WARNING):
        assert ClipSet.open(clips.folder).cache is None
    assert "damaged, not used" in caplog.text


def test_a_cache_that_is_cut_short_is_not_used(clips, caplog):
    path = clips.folder / "fbank.npy"
    path.write_bytes(path.read_bytes()[:-1000])
    with caplog.at_level(logging.WARNING):
        assert ClipSet.open(clips.folder).cache is None


def test_a_cache_that_is_removed_while_in_use_is_an_error(clips):
    (clips.folder / "fbank.npy").unlink()
    with pytest.raises(AudioError, match=r"fbank\.npy: cannot be read"):
        clips.fbank(0, SPEC)


def test_a_recording_that_has_changed_since_is_refused(tmp_path):
    clips = prepared(tmp_path)
    write_noise(tmp_path / "source" / "1.wav", 0, seconds=2.0)
    fbanks = (clips.fbank(index, SPEC) for index in range(len(clips)))
    with pytest.raises(AudioError, match=r"clips\.jsonl:2: expected 58 frames, got 198"):
        write_cache(clips.folder, SPEC, clips.seconds, fbanks)
    assert not list(clips.folder.glob("fbank*"))


def test_sends_no_features_to_another_process(clips):
    assert len(pickle.dumps(clips.cache)) < 1000
