import subprocess

import numpy as np
import pytest
import soundfile
from rigs.sound.encoded import RATE, encode, needs_ffmpeg, set_data_size, write_wav
from rigs.training import packs
from rigs.training.clip_lists import write_noise
from rigs.training.packs import tone

from ast_edge.base.errors import AudioError
from ast_training.data.decoding import AudioBytes, Sound, decode, read_audio, resample


def test_channels_are_averaged(tmp_path):
    samples = write_noise(tmp_path / "a.wav", 0, rate=44_100, channels=2)
    sound = decode(AudioBytes(tmp_path / "a.wav"))
    np.testing.assert_allclose(sound.samples, samples.mean(axis=1) / 32768, atol=1e-7)
    assert (sound.rate, sound.channels) == (44_100, 2)


def test_a_stretch_of_a_file_is_read_alone(tmp_path):
    samples = write_noise(tmp_path / "a.flac", 0)
    encoded = (tmp_path / "a.flac").read_bytes()
    (tmp_path / "all").write_bytes(b"before" + encoded + b"after")
    sound = decode(AudioBytes(tmp_path / "all", 6, len(encoded)))
    np.testing.assert_array_equal(sound.samples, samples[:, 0] / np.float32(32768))
    assert not sound.by_ffmpeg


def test_a_tone_keeps_its_pitch_at_another_rate():
    time = np.arange(44_100) / 44_100
    sound = Sound(np.sin(2 * np.pi * 440 * time).astype(np.float32), 44_100, 1)
    at_16k = resample(sound, 16_000)
    np.testing.assert_allclose(at_16k[500:-500], tone(440, 1.0, 1.0)[500:-500], atol=1e-3)


ENCODED = {
    "phone.m4a": (),
    "phone.3gp": ("-c:a", "aac", "-ar", "16000"),
    "raw.aac": (),
    "film.mp4": (),
    "film.webm": (),
    "windows.wma": (),
    "matroska.mka": (),
    "layer2.mp2": (),
    "no-length.mp3": ("-q:a", "4", "-write_xing", "0"),
    "sound-forge.w64": (),
    "large.rf64": ("-f", "wav", "-rf64", "always"),
    "mac.caf": (),
}
"""What phones, recorders and other systems write, and how ffmpeg does."""


@needs_ffmpeg
@pytest.mark.parametrize("name", ENCODED)
def test_what_others_write_is_decoded_to_its_end(tmp_path, name):
    path = encode(tmp_path / name, 12, *ENCODED[name])
    sound = decode(AudioBytes(path))
    assert len(sound.samples) / sound.rate == pytest.approx(12, abs=0.2)
    assert np.abs(sound.samples[:8000]).max() == pytest.approx(0.5, abs=0.1)


@needs_ffmpeg
def test_a_stretch_that_libsndfile_cannot_read_is_decoded_too(tmp_path):
    encoded = encode(tmp_path / "a.m4a", 2).read_bytes()
    (tmp_path / "all").write_bytes(b"before" + encoded + b"after")
    sound = decode(AudioBytes(tmp_path / "all", 6, len(encoded)))
    assert len(sound.samples) / sound.rate == pytest.approx(2, abs=0.1)


@needs_ffmpeg
def test_a_film_without_sound_is_an_error(tmp_path):
    black = ["-f", "lavfi", "-i", "color=black:s=32x32:d=1", str(tmp_path / "a.mp4")]
    subprocess.run(["ffmpeg", "-v", "error", *black], check=True, stdin=subprocess.DEVNULL)
    with pytest.raises(AudioError, match=r"a\.mp4: expected a .*recording"):
        decode(AudioBytes(tmp_path / "a.mp4"))


def test_without_ffmpeg_its_absence_is_said(tmp_path, monkeypatch):
    (tmp_path / "a.m4a").write_bytes(b"\0\0\0\x20ftypM4A " + bytes(100))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AudioError, match="needs ffmpeg, which is not installed"):
        decode(AudioBytes(tmp_path / "a.m4a"))


@pytest.mark.parametrize("size", [0, 100])
def test_a_wav_whose_recorder_was_killed_is_read_whole(tmp_path, size):
    set_data_size(write_wav(tmp_path / "a.wav", 3), size)
    assert len(decode(AudioBytes(tmp_path / "a.wav")).samples) == 3 * RATE


def test_a_wav_that_was_cut_off_is_read_as_far_as_it_goes(tmp_path):
    whole = write_wav(tmp_path / "a.wav", 3).read_bytes()
    (tmp_path / "a.wav").write_bytes(whole[:-RATE])
    assert len(decode(AudioBytes(tmp_path / "a.wav")).samples) == 3 * RATE - RATE // 2


def damage(path, how):
    """Make a file that cannot be used."""
    if how == "missing":
        return
    if how == "zero bytes":
        path.write_bytes(b"")
    elif how == "text":
        path.write_text("no sound, but a text that is long enough for a header" * 3)
    elif how == "truncated flac":
        write_noise(path.with_suffix(".flac"), 0)
        encoded = path.with_suffix(".flac").read_bytes()
        path.write_bytes(encoded[: len(encoded) // 2])
    elif how == "no samples":
        soundfile.write(path, np.zeros(0), 16000)
    else:
        soundfile.write(path, np.array([0.0, np.nan, 0.5]), 16000, subtype="FLOAT")


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("missing", "cannot be read: No such file"),
        ("zero bytes", "is empty or cut short"),
        ("text", "expected a WAV, FLAC, OGG or MP3 recording, got 159 bytes of something else"),
        ("truncated flac", "is damaged or cut short: .*flac decoder lost sync"),
        ("no samples", "holds no sample"),
        ("not a number", "holds samples that are not finite"),
    ],
)
def test_what_cannot_be_used_is_an_error_with_its_name(tmp_path, how, reason):
    damage(tmp_path / "bad.wav", how)
    with pytest.raises(AudioError, match=rf"bad\.wav: {reason}"):
        decode(AudioBytes(tmp_path / "bad.wav"))


def test_a_header_that_promises_too_much_is_an_error(tmp_path):
    write_noise(tmp_path / "a.flac", 0)
    encoded = bytearray((tmp_path / "a.flac").read_bytes())
    encoded[21:26] = b"\xff" * 5  # the number of samples, 36 bits
    (tmp_path / "a.flac").write_bytes(encoded)
    with pytest.raises(AudioError, match=r"a\.flac: is (damaged|cut short)"):
        decode(AudioBytes(tmp_path / "a.flac"))


def test_a_stretch_beyond_the_end_is_an_error(tmp_path):
    (tmp_path / "short.tar").write_bytes(b"0123456789")
    with pytest.raises(AudioError, match=r"short\.tar at byte 8: is empty or cut short"):
        decode(AudioBytes(tmp_path / "short.tar", 8, 3))


def test_reads_any_rate_and_channel_count_as_mono_at_the_wanted_rate(tmp_path):
    stereo = np.stack([tone(440, 1.0), np.zeros(16000, np.float32)], axis=1)
    soundfile.write(tmp_path / "a.wav", np.repeat(stereo, 3, axis=0), 48000, subtype="FLOAT")
    samples = read_audio(tmp_path / "a.wav", 16000)
    assert samples.shape == (16000,)
    assert np.abs(samples).max() == pytest.approx(0.15, rel=0.05)


@pytest.mark.parametrize("how", packs.DAMAGES)
def test_audio_that_cannot_be_used_is_an_error_with_its_name(tmp_path, how):
    path = tmp_path / "bad.wav"
    soundfile.write(path, tone(440), 16000)
    packs.damage(path, how)
    with pytest.raises(AudioError, match=r"bad\.wav: "):
        read_audio(path, 16000)
