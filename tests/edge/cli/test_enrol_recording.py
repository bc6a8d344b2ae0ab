"""Takes that are asked for at a real, virtual microphone."""

import re

import numpy as np
import pytest
import soundfile
from rigs.sound import pulse

from ast_edge.base.errors import AudioError
from ast_edge.cli import enrol_recording
from ast_edge.cli.enrol_recording import record_takes
from ast_edge.enrolment.errors import EnrolmentError
from ast_edge.frontend.fbank import FbankSpec

RATE = 48_000


def play(microphone, folder, seconds=0.8, period=4.0, count=12):
    """Play a bell every four seconds, in a room."""
    sound = 0.0005 * np.random.default_rng(0).standard_normal(round(period * count * RATE))
    bell = 0.3 * np.sin(2 * np.pi * 1000 * np.arange(round(seconds * RATE)) / RATE)
    for number in range(count):
        start = round((number * period + 2) * RATE)
        sound[start : start + len(bell)] += bell
    soundfile.write(folder / "bells.wav", sound, RATE)
    microphone.play(folder / "bells.wav")


def test_takes_are_asked_for_and_heard(microphone, tmp_path, capsys):
    play(microphone, tmp_path)
    takes = record_takes(pulse.DEVICE, 2, FbankSpec(), keep=None)
    assert [take.seconds for take in takes] == pytest.approx([0.9, 0.9], abs=0.2)
    said = capsys.readouterr().out
    assert "take 1 of 2: a second of quiet, then the sound, once" in said
    assert re.search(r"take 2: \d\.\d s, peak -1\d dBFS", said)
    assert [path.name for path in tmp_path.iterdir()] == ["bells.wav"]


def test_takes_are_kept_where_that_is_asked_for(microphone, tmp_path):
    play(microphone, tmp_path)
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "take-1.flac").write_bytes(b"of another day")
    takes = record_takes(pulse.DEVICE, 1, FbankSpec(), tmp_path / "kept")
    sound, rate = soundfile.read(tmp_path / "kept" / "take-2.flac", dtype="float32")
    assert rate == 16000
    assert (tmp_path / "kept" / "take-2.flac").stat().st_mode & 0o777 == 0o600
    assert sound == pytest.approx(takes[0].samples, abs=1e-3)
    assert (tmp_path / "kept" / "take-1.flac").read_bytes() == b"of another day"


def test_a_sound_that_does_not_come_is_said(microphone, monkeypatch):
    monkeypatch.setattr(enrol_recording, "PATIENCE", 3.0)
    with pytest.raises(EnrolmentError, match="take 1: nothing was heard for 3 s"):
        record_takes(pulse.DEVICE, 1, FbankSpec(), keep=None)


def test_a_microphone_that_is_not_there_is_named(microphone):
    with pytest.raises(AudioError, match="no input device is named 'jabra'"):
        record_takes("jabra", 1, FbankSpec(), keep=None)
