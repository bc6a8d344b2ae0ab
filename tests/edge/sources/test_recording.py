import logging

import numpy as np
import pytest
import soundfile

from ast_edge.base.errors import AudioError
from ast_edge.sources.recording import RecordingSource


class Clock:
    """A monotonic clock that only sleeping and the listener's work move."""

    def __init__(self):
        self.now = 100.0
        self.slept = []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def recording(tmp_path):
    """Write a recording and return its path."""

    def write(name="a.wav", *, rate=16000, channels=1, seconds=1.05):
        rng = np.random.default_rng(0)
        samples = rng.uniform(-0.5, 0.5, (round(rate * seconds), channels))
        soundfile.write(tmp_path / name, samples, rate)
        return tmp_path / name

    return write


def cut(path, size):
    path.write_bytes(path.read_bytes()[:size])


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
def test_the_blocks_are_the_file(recording, name):
    path = recording(name)
    blocks = list(RecordingSource("r", path, "fast").blocks())
    expected, _ = soundfile.read(path, dtype="float32", always_2d=True)
    heard = np.concatenate([b.samples for b in blocks])
    np.testing.assert_allclose(heard, expected, atol=1e-6)  # MP3 rounds by the size of the read


def test_blocks_are_100_ms_and_consecutive(recording):
    blocks = list(RecordingSource("r", recording(), "fast").blocks())
    assert [b.start for b in blocks] == list(range(0, 16800, 1600))
    assert [len(b.samples) for b in blocks] == [1600] * 10 + [800]


def test_the_stream_describes_the_file(recording):
    path = recording(rate=8000, channels=2)
    first, *others = RecordingSource("r", path, "fast").blocks()
    assert (first.stream.source, first.stream.sample_rate, first.stream.channels) == ("r", 8000, 2)
    assert first.samples.shape == (800, 2)
    assert all(b.stream is first.stream for b in others)


def test_fast_counts_from_zero_and_is_not_live(recording):
    block = next(RecordingSource("r", recording(), "fast").blocks())
    assert (block.stream.started_at, block.stream.live) == (0.0, False)


def test_fast_never_sleeps(recording):
    clock = Clock()
    list(RecordingSource("r", recording(), "fast", clock=clock, sleep=clock.sleep).blocks())
    assert clock.slept == []


def test_realtime_is_live_and_starts_when_told(recording):
    clock = Clock()
    source = RecordingSource("r", recording(), started_at=1e9, clock=clock, sleep=clock.sleep)
    block = next(source.blocks())
    assert (block.stream.started_at, block.stream.live) == (1e9, True)


def test_realtime_hands_each_block_out_at_its_end(recording):
    clock = Clock()
    source = RecordingSource("r", recording(), clock=clock, sleep=clock.sleep)
    ends = [(clock.now - 100, (b.start + len(b.samples)) / 16000) for b in source.blocks()]
    assert all(now == pytest.approx(end) for now, end in ends)


def test_realtime_makes_up_for_a_listener_that_was_busy(recording):
    clock = Clock()
    source = RecordingSource("r", recording(), clock=clock, sleep=clock.sleep)
    for block in source.blocks():
        clock.now += 0.45 if block.start == 0 else 0.01
    assert clock.now - 100 == pytest.approx(1.05 + 0.01)


def test_close_ends_it_at_once(recording):
    source = RecordingSource("r", recording(seconds=60))
    blocks = source.blocks()
    next(blocks)
    source.close()
    source.close()
    assert list(blocks) == []


@pytest.mark.parametrize(
    ("content", "got"), [(b"", "an empty file"), (b"hello\n" * 9, "54 bytes of something else")]
)
@pytest.mark.parametrize("suffix", ["wav", "mp3", "txt", "raw"])
def test_what_is_no_recording_is_refused_in_one_line(tmp_path, content, got, suffix):
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(content)
    with pytest.raises(AudioError) as caught:
        next(RecordingSource("r", path).blocks())
    assert str(caught.value) == f"{path}: expected a WAV, FLAC, OGG or MP3 recording, got {got}"


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(AudioError, match=r"b\.wav: cannot be opened: No such file or directory"):
        next(RecordingSource("r", tmp_path / "b.wav").blocks())


def test_a_recording_without_samples_is_refused(recording):
    with pytest.raises(AudioError, match="a recording without any sample"):
        next(RecordingSource("r", recording(seconds=0)).blocks())


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.mp3"])
def test_a_truncated_file_plays_as_far_as_it_goes_and_warns(recording, caplog, name):
    path = recording(name, seconds=4)
    expected, _ = soundfile.read(path, dtype="float32", always_2d=True)
    cut(path, path.stat().st_size // 2)
    blocks = list(RecordingSource("r", path, "fast").blocks())
    heard = np.concatenate([b.samples for b in blocks])
    assert 1.5 * 16000 < len(heard) < 2.5 * 16000
    np.testing.assert_allclose(heard[:24000], expected[:24000], atol=1e-6)
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert f"{path}: the recording is damaged after" in record.getMessage()


def test_a_whole_file_gives_no_warning(recording, caplog):
    for name in ("a.wav", "a.flac", "a.ogg", "a.mp3"):
        list(RecordingSource("r", recording(name), "fast").blocks())
    assert caplog.records == []


def test_a_wav_from_a_pipe_of_unknown_length_gives_no_warning(recording, caplog):
    path = recording()
    data = bytearray(path.read_bytes())
    where = data.index(b"data") + 4
    data[where : where + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    list(RecordingSource("r", path, "fast").blocks())
    assert caplog.records == []


def test_a_channel_that_the_recording_does_not_have_is_an_error(recording):
    source = RecordingSource("r", recording(channels=2), "fast", channel=3)
    with pytest.raises(AudioError, match="expected a channel 3, got 2 only"):
        list(source.blocks())


@pytest.mark.parametrize("rate", [1, 999, 384_001])
def test_a_sample_rate_that_no_sound_has_is_refused(tmp_path, rate):
    soundfile.write(tmp_path / "odd.wav", np.zeros(100, np.float32), rate)
    source = RecordingSource("r", tmp_path / "odd.wav", "fast")
    with pytest.raises(AudioError, match=f"expected 1000 to 384000 samples a second, got {rate}"):
        list(source.blocks())


@pytest.mark.parametrize(("rate", "lacks"), [(8000, "its sound ends at 4 kHz"), (16000, "")])
def test_a_recording_of_a_low_rate_is_said_to_lack_what_lies_above(recording, caplog, rate, lacks):
    source = RecordingSource("r", recording(rate=rate), "fast")
    list(source.blocks())
    assert source.health.reason.startswith(lacks)
    assert bool(source.health.reason) == bool(lacks) == bool(caplog.records)
