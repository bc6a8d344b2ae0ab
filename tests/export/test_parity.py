import shutil

import numpy as np
import pytest
import soundfile
from rigs.checkpoints import random_checkpoint
from rigs.packs import hiss

from ast_edge.errors import AudioError
from ast_edge.fbank import LOG_FLOOR, FbankSpec
from ast_export.parity import BATCH, RUNS, Parity, audio_windows, compare

SPEC = FbankSpec()


def test_recordings_of_a_folder_become_windows(audio):
    windows = audio_windows(audio, SPEC, 64)
    assert windows.shape == (1 + 4 + 2, 64, 128)  # QUIET.WAV, hiss.wav, tone.flac
    assert (windows[0] == np.float32(LOG_FLOOR)).all()


def test_no_more_windows_are_made_than_asked_for(audio):
    assert len(audio_windows(audio, SPEC, 64, most=3)) == 3


@pytest.mark.parametrize("folder", ["empty", "not there"])
def test_a_folder_without_recordings_is_refused(tmp_path, folder):
    (tmp_path / "empty").mkdir()
    with pytest.raises(AudioError, match=r"recordings .*\.mp3, \.ogg.*none"):
        audio_windows(tmp_path / folder, SPEC, 64)


def test_a_recording_that_cannot_be_used_is_named_and_left_out(audio, tmp_path, caplog):
    shutil.copytree(audio, tmp_path / "all")
    (tmp_path / "all" / "bad.wav").write_bytes(b"RIFF")
    windows = audio_windows(tmp_path / "all", SPEC, 64)
    assert "bad.wav" in caplog.text
    assert np.array_equal(windows, audio_windows(audio, SPEC, 64))


def test_every_engine_is_compared_and_holds(written):
    _, reports = written
    assert [(report.engine, report.precision) for report in reports] == list(RUNS)
    assert all(report.holds for report in reports)
    assert all(report.largest <= 1e-5 for report in reports if report.precision == "fp32")


def test_another_model_than_the_exported_does_not_hold(written, audio):
    other = random_checkpoint()
    other.weights["mlp_head.1.bias"][0] += 0.5
    reports = compare(other.build(), written[0], audio_windows(audio, SPEC, 64), halved=False)
    assert not any(report.holds for report in reports)


def test_more_windows_than_a_batch_are_all_compared(written, checkpoint, tmp_path):
    soundfile.write(tmp_path / "long.wav", hiss(1, 12.0), 16000)
    windows = audio_windows(tmp_path, SPEC, 64)
    assert len(windows) > BATCH
    windows[-1] = np.nan  # the last window of the last batch
    assert not any(r.holds for r in compare(checkpoint.build(), written[0], windows, False))


@pytest.mark.parametrize(
    ("largest", "holds"), [(0.0, True), (1e-4, True), (2e-4, False), (float("nan"), False)]
)
def test_parity_holds_within_the_limit_and_not_without_a_number(largest, holds):
    assert Parity("onnxruntime", "fp32", largest, 0.0, 1.0, limit=1e-4).holds is holds
