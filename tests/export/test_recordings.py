import shutil
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from rigs.training.checkpoints import LABELS
from rigs.training.packs import hiss, tone

from ast_edge.base.errors import AudioError, BundleError
from ast_edge.frontend.fbank import LOG_FLOOR, FbankSpec
from ast_export.recordings import Labelled, audio_windows, labelled_windows

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
    with pytest.raises(AudioError, match=r"expected recordings .*\.mp3.* found none"):
        audio_windows(tmp_path / folder, SPEC, 64)


def test_a_recording_that_cannot_be_used_is_named_and_left_out(audio, tmp_path, caplog):
    shutil.copytree(audio, tmp_path / "all")
    (tmp_path / "all" / "bad.wav").write_bytes(b"RIFF")
    windows = audio_windows(tmp_path / "all", SPEC, 64)
    assert "bad.wav" in caplog.text
    assert np.array_equal(windows, audio_windows(audio, SPEC, 64))


# Labelled recordings


@pytest.fixture
def sorted_audio(tmp_path):
    """Sub-folders by display name and by slug."""
    for name, samples in (("Hum", tone(200, 1.0)), ("hiss", hiss(1, 2.0))):
        (tmp_path / name).mkdir()
        soundfile.write(tmp_path / name / "a.wav", samples, 16000)
    soundfile.write(tmp_path / "hiss" / "b.wav", hiss(2, 0.5), 16000)
    return tmp_path


def test_sub_folders_are_labels(sorted_audio):
    labelled = labelled_windows(sorted_audio, LABELS, SPEC, 64)
    assert labelled.targets.tolist() == [[False, True, False], *[[False, False, True]] * 2]
    assert labelled.recording.tolist() == [0, 0, 1, 1, 1, 1, 2]
    assert labelled.windows.shape == (7, 64, 128)


def test_a_folder_that_is_no_label_is_refused(sorted_audio):
    (sorted_audio / "Humm").mkdir()
    with pytest.raises(BundleError, match="Humm: expected a folder named as a label"):
        labelled_windows(sorted_audio, LABELS, SPEC, 64)


def test_recordings_of_one_label_cannot_be_ranked(sorted_audio):
    shutil.rmtree(sorted_audio / "Hum")
    with pytest.raises(AudioError, match="at least two labels"):
        labelled_windows(sorted_audio, LABELS, SPEC, 64)


def test_a_recording_scores_as_its_highest_window_does():
    targets = np.array([[True, False], [False, True], [False, True]])
    labelled = Labelled(np.empty((4, 1, 1), np.float32), np.array([0, 0, 1, 2]), targets)
    scores = np.array([[0.1, 0.0], [0.9, 0.7], [0.5, 0.8], [0.6, 0.6]], np.float32)
    # The second label: 0.8 and 0.6 are right, 0.7 between them is not.
    assert labelled.mean_average_precision(scores) == pytest.approx((1 + (1 + 2 / 3) / 2) / 2)


def test_recordings_are_read_without_pytorch():
    program = (
        "import sys, ast_export.recordings, ast_export.verification; print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr
