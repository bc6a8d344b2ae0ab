import logging
import os
import subprocess
from contextlib import contextmanager

import numpy as np
import pytest
import soundfile
from rigs.processes import children
from rigs.sound.encoded import RATE, encode, needs_ffmpeg, set_data_size, write_wav

from ast_edge.audio.sound_file import open_sound_file
from ast_edge.base.errors import AudioError


@contextmanager
def opened(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        with open_sound_file(fd, str(path)) as file:
            yield file
    finally:
        os.close(fd)


def decode(path):
    """Return (samples, the damage that was found)."""
    with opened(path) as file:
        samples = [*_blocks(file), np.empty((0, file.channels), np.float32)]
        return np.concatenate(samples), file.damage


def _blocks(file):
    while len(block := file.read(1600)):
        yield block


MP3 = {
    "variable.mp3": ("-q:a", "4", "-write_xing", "0"),
    "constant.mp3": ("-b:a", "64k", "-write_xing", "0"),
    "tagless.mp3": ("-b:a", "32k", "-write_xing", "0", "-id3v2_version", "0"),
    "with-length.mp3": ("-q:a", "4"),
    "inside.wav": ("-c:a", "libmp3lame", "-b:a", "32k"),
    "layer2.mp2": (),
}


@needs_ffmpeg
@pytest.mark.parametrize("name", MP3)
def test_mpeg_sound_is_decoded_to_its_end_and_is_not_called_damaged(tmp_path, name):
    samples, damage = decode(encode(tmp_path / name, 20, *MP3[name]))
    assert len(samples) / RATE == pytest.approx(20, abs=0.2)
    assert damage is None


@needs_ffmpeg
@pytest.mark.parametrize("name", ["a.mp3", "b.ogg"])
def test_recordings_one_behind_the_other_in_a_file_are_all_heard(tmp_path, name):
    path = encode(tmp_path / name, 6)
    path.write_bytes(2 * path.read_bytes())
    samples, damage = decode(path)
    assert len(samples) / RATE == pytest.approx(12, abs=0.3)
    assert damage is None


@needs_ffmpeg
@pytest.mark.parametrize("suffix", ["m4a", "mp4", "aac", "mka", "webm", "wma", "caf", "w64", "3gp"])
def test_what_libsndfile_cannot_read_is_read_by_ffmpeg(tmp_path, suffix):
    options = ("-c:a", "aac") if suffix == "3gp" else ("-vn",)
    path = encode(tmp_path / f"a.{suffix}", 3, *options)
    with opened(path) as file:
        blocks = list(_blocks(file))
        assert sum(map(len, blocks)) / file.sample_rate == pytest.approx(3, abs=0.2)
    assert np.abs(blocks[5]).max() == pytest.approx(0.5, abs=0.1)


@needs_ffmpeg
def test_the_channels_of_what_ffmpeg_reads_are_kept(tmp_path):
    path = encode(tmp_path / "a.m4a", 3, "-af", "pan=stereo|c0=c0|c1=0*c0")
    samples, _ = decode(path)
    left, right = np.abs(samples[4000:8000]).max(axis=0)
    assert left == pytest.approx(0.5, abs=0.1)
    assert right < 0.01


@needs_ffmpeg
def test_a_file_of_ffmpeg_that_is_cut_off_is_called_damaged(tmp_path):
    path = encode(tmp_path / "a.m4a", 10, "-movflags", "faststart")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    samples, damage = decode(path)
    assert 2 < len(samples) / RATE < 8
    assert "partial file" in damage


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT", "ULAW"])
@pytest.mark.parametrize("size", [0, 8192, 0xFFFFFFFF, 0x7FFFF000])
def test_the_wav_of_a_recorder_that_was_killed_is_read_whole(tmp_path, subtype, size):
    path = write_wav(tmp_path / "a.wav", 3, subtype)
    expected = soundfile.read(path, dtype="float32", always_2d=True)[0]
    set_data_size(path, size)
    samples, damage = decode(path)
    np.testing.assert_array_equal(samples, expected)
    assert damage is None


def test_a_long_wav_whose_recorder_was_killed_is_read_whole(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.full(48000, 0.5), RATE, format="RF64")
    data = bytearray(path.read_bytes())
    at = data.index(b"ds64") + 8
    data[at : at + 24] = bytes(24)
    data[data.index(b"data") + 4 :][:4] = b"\xff" * 4
    path.write_bytes(data)
    assert len(decode(path)[0]) == 48000


def test_chunks_and_padding_behind_the_sound_are_no_sound(tmp_path):
    path = write_wav(tmp_path / "a.wav", 3)
    for tail in (b"LIST" + (6000).to_bytes(4, "little") + bytes(6000), bytes(511), b"TAG" * 40):
        path.write_bytes(path.read_bytes() + tail)
        assert len(decode(path)[0]) == 3 * RATE


def test_a_wav_without_sound_stays_without_sound(tmp_path):
    path = write_wav(tmp_path / "a.wav", 0)
    path.write_bytes(path.read_bytes() + b"LIST" + (40).to_bytes(4, "little") + bytes(40))
    assert len(decode(path)[0]) == 0


@needs_ffmpeg
def test_flac_from_a_pipe_is_not_called_damaged(tmp_path):
    path = tmp_path / "a.flac"
    source = write_wav(tmp_path / "a.wav", 3)
    command = ["ffmpeg", "-nostdin", "-v", "error", "-i", source, "-f", "flac", "pipe:1"]
    path.write_bytes(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    samples, damage = decode(path)
    assert (len(samples), damage) == (3 * RATE, None)


def test_a_recording_in_memory_is_read(tmp_path):
    fd = os.memfd_create("shard")
    os.write(fd, write_wav(tmp_path / "a.wav", 2).read_bytes())
    with open_sound_file(fd, "shard") as file:
        assert sum(map(len, _blocks(file))) == 2 * RATE
    os.close(fd)


def test_without_ffmpeg_a_guessed_length_is_said_and_the_rest_is_heard(
    tmp_path, monkeypatch, caplog
):
    path = tmp_path / "a.mp3"
    soundfile.write(path, np.sin(np.arange(5 * RATE) / 5), RATE)
    path.write_bytes(path.read_bytes().replace(b"Xing", b"none").replace(b"Info", b"none"))
    monkeypatch.setenv("PATH", str(tmp_path))
    samples, _ = decode(path)
    assert len(samples)
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert "the end may be lost: this recording needs ffmpeg, which is not inst" in record.message


@needs_ffmpeg
def test_without_ffmpeg_the_refusal_says_that_it_would_read_more(tmp_path, monkeypatch):
    path = encode(tmp_path / "a.m4a", 1)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AudioError, match=r"OGG or MP3 recording, .* \(apt install ffmpeg"):
        decode(path)


@needs_ffmpeg
@pytest.mark.parametrize("text", ["#EXTM3U\n#EXTINF:1,\n{}\n", "ffconcat version 1.0\nfile '{}'\n"])
def test_a_list_that_names_other_files_is_no_recording(tmp_path, text):
    path = tmp_path / "a.m3u8"
    path.write_text(text.format(write_wav(tmp_path / "a.wav", 3)))
    with pytest.raises(AudioError, match="bytes of something else"):
        decode(path)


@needs_ffmpeg
def test_a_recording_that_is_left_in_its_middle_leaves_no_process(tmp_path):
    with opened(encode(tmp_path / "a.m4a", 30)) as file:
        file.read(1600)
        assert len(children("ffmpeg")) == 1
    assert children("ffmpeg") == []
