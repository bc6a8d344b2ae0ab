"""The bank of a bundle, which stands in for the user's own days."""

import shutil

import numpy as np
import pytest
import soundfile

pytest.importorskip("onnx", reason="onnx is not installed")
from rigs.model import RATE, WIDTH

from ast_edge.base.errors import BundleError
from ast_edge.enrolment.bank import make_bank, read_bank, write_bank
from ast_edge.enrolment.embedder import Embedded
from ast_edge.enrolment.errors import EnrolmentError
from ast_edge.model.bundle import load_bundle
from ast_edge.model.bundle_files import BANK_FILE


@pytest.fixture
def bundle(embedding_model, tmp_path):
    return load_bundle(shutil.copytree(embedding_model, tmp_path / "bundle"))


@pytest.fixture
def folders(tmp_path):
    """Two folders of recordings, one of which is no recording."""
    random = np.random.default_rng(0)
    for name, count in (("rooms", 3), ("voices", 9)):
        (tmp_path / name).mkdir()
        for number in range(count):
            sound = 0.1 * random.standard_normal(2 * RATE)
            soundfile.write(tmp_path / name / f"{number}.wav", sound, RATE)
    (tmp_path / "rooms" / "broken.wav").write_bytes(b"RIFF")
    return [tmp_path / "rooms", tmp_path / "voices"]


def test_a_bank_holds_as_many_windows_of_each_folder(bundle, folders, caplog):
    bank = make_bank(bundle, folders, windows=8)
    assert bank.clip.shape == (8, WIDTH)  # 3 of the rooms, and of the voices the rest
    assert bank.frame.shape == (8, 4, WIDTH)
    assert "left out of the bank" in caplog.text


def test_what_is_read_is_what_was_written_to_a_hundredth(bundle, folders):
    bank = make_bank(bundle, folders, windows=8)
    write_bank(bundle.folder / BANK_FILE, bank)
    found = read_bank(bundle)
    inside = np.abs(bank.frame) < 4
    assert np.abs(found.embedded.frame - bank.frame)[inside].max() < 0.02
    assert found.hours == pytest.approx(8 * bundle.window_seconds / 3600)


def test_a_folder_without_recordings_is_named(bundle, tmp_path):
    (tmp_path / "none").mkdir()
    with pytest.raises(EnrolmentError, match=r"none: expected recordings"):
        make_bank(bundle, [tmp_path / "none"])


def test_a_bundle_without_a_bank_says_what_to_do(bundle):
    with pytest.raises(EnrolmentError, match="--negatives"):
        read_bank(bundle)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut off"])
def test_a_damaged_bank_is_refused(bundle, content):
    (bundle.folder / BANK_FILE).write_bytes(content)
    with pytest.raises(BundleError, match="is damaged"):
        read_bank(bundle)


def test_a_bank_of_another_model_is_refused(bundle):
    rows = np.zeros((3, WIDTH + 1), np.float32)
    write_bank(bundle.folder / BANK_FILE, Embedded(rows, rows[:, np.newaxis]))
    with pytest.raises(BundleError, match="is of another model"):
        read_bank(bundle)
