"""The filterbank against torchaudio's, whose values for real clips are in data/golden.npz."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from ast_edge.frontend.fbank import LOG_FLOOR, FbankSpec, RollingFbank, fbank, mel_filters

DATA = Path(__file__).parents[1] / "data"
CLIPS = ("baby", "clock", "dog")
WINDOWS = ("hanning", "hamming")
SPEC = FbankSpec()


def read(clip):
    samples, rate = soundfile.read(DATA / f"{clip}.flac", dtype="float32")
    assert rate == SPEC.sample_rate
    return samples


def noise(seconds, rate=SPEC.sample_rate):
    return np.random.default_rng(1).normal(0, 0.1, round(seconds * rate)).astype(np.float32)


def assert_near(found, expected):
    """Check for equality up to rounding.

    It is torchaudio's own: against float64, its `baby` is off by 2.2e-3 at most and 1.3e-5 in the
    mean, ours by 5.6e-4 and 5.3e-6.
    """
    assert found.shape == expected.shape
    difference = np.abs(found - expected)
    assert difference.max() <= 2e-3
    assert difference.mean() <= 1e-5


def kaldi(samples, **settings):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    kaldi = pytest.importorskip("torchaudio.compliance.kaldi", reason="torchaudio is not installed")
    defaults = {"window_type": "hanning", "num_mel_bins": 128, "dither": 0.0}
    return kaldi.fbank(torch.from_numpy(samples)[None], **(defaults | settings)).numpy()


@pytest.mark.parametrize("window", WINDOWS)
def test_real_clips_have_their_golden_values(window):
    found = [fbank(read(clip), FbankSpec(window=window)) for clip in CLIPS]
    with np.load(DATA / "golden.npz") as golden:
        assert_near(np.stack(found), np.stack([golden[f"{clip}-{window}"] for clip in CLIPS]))


@pytest.mark.parametrize("window", WINDOWS)
def test_real_clips_have_the_values_of_the_installed_torchaudio(window):
    found = [fbank(read(clip), FbankSpec(window=window)) for clip in CLIPS]
    assert_near(np.stack(found), np.stack([kaldi(read(c), window_type=window) for c in CLIPS]))


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 32_000, 44_100])
def test_other_sample_rates_have_the_values_of_torchaudio(rate):
    spec = FbankSpec(sample_rate=rate, mel_bins=64)
    samples = noise(1.0, rate)
    assert_near(fbank(samples, spec), kaldi(samples, sample_frequency=rate, num_mel_bins=64))


@pytest.mark.parametrize("high_hz", [-400.0, 0.0, 7_000.0])
def test_the_upper_edge_counts_as_in_torchaudio(high_hz):
    samples = noise(0.5)
    expected = kaldi(samples, sample_frequency=16_000, high_freq=high_hz, low_freq=125.0)
    assert_near(fbank(samples, FbankSpec(low_hz=125.0, high_hz=high_hz)), expected)


def test_a_waveform_that_does_not_lie_together_has_the_same_values():
    stereo = np.stack([noise(0.5), np.zeros(8000, np.float32)], axis=1)
    np.testing.assert_array_equal(fbank(stereo[:, 0], SPEC), fbank(noise(0.5), SPEC))


@pytest.mark.parametrize(
    ("seconds", "frames"), [(1, 98), (5, 498), (10, 998), (10.24, 1022), (0.025, 1), (0.0249, 0)]
)
def test_frames_are_counted_as_in_kaldi(seconds, frames):
    samples = round(seconds * SPEC.sample_rate)
    assert SPEC.frames_in(samples) == frames
    assert fbank(np.zeros(samples, np.float32), SPEC).shape == (frames, 128)


@given(st.integers(0, 100_000))
def test_so_many_frames_need_no_more_samples_than_there_are(samples):
    frames = SPEC.frames_in(samples)
    covered = SPEC.samples_in(frames)
    assert covered <= samples < SPEC.samples_in(frames + 1)


def test_mel_filter_3_is_empty_and_the_others_are_not():
    assert np.flatnonzero(mel_filters(SPEC).max(axis=0) == 0).tolist() == [3]


def test_what_filter_3_gives_is_the_floor():
    assert np.all(fbank(noise(1.0), SPEC)[:, 3] == np.float32(LOG_FLOOR))


def test_digital_silence_is_the_floor():
    assert abs(LOG_FLOOR + 15.942385) < 1e-6
    assert np.all(fbank(np.zeros(16_000, np.float32), SPEC) == np.float32(LOG_FLOOR))


def test_a_constant_offset_changes_nothing():
    samples = noise(0.5)
    assert_near(fbank(samples + np.float32(0.25), SPEC), fbank(samples, SPEC))


@given(st.lists(st.sampled_from([0, 1, 159, 160, 161, 399, 400, 401, 1600, 5000]), max_size=30))
def test_any_cutting_gives_the_features_of_the_whole(sizes):
    samples = np.concatenate([read("baby"), read("dog")])
    rolling, pieces, position = RollingFbank(SPEC), [], 0
    for size in [*sizes, len(samples)]:
        pieces.append(rolling.feed(samples[position : position + size]))
        position += size
    streamed, whole = np.concatenate(pieces), fbank(samples, SPEC)
    assert streamed.shape == whole.shape
    assert np.abs(streamed - whole).max() <= 1e-5


@given(st.integers(0, 3000))
def test_a_frame_comes_with_its_last_sample(samples):
    rolling = RollingFbank(SPEC)
    assert len(rolling.feed(np.zeros(samples, np.float32))) == SPEC.frames_in(samples)


def test_after_a_reset_nothing_is_left_of_the_past():
    rolling, samples = RollingFbank(SPEC), noise(0.1)
    rolling.feed(noise(0.017))
    rolling.reset()
    assert np.array_equal(rolling.feed(samples), fbank(samples, SPEC))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"window": "kaiser"}, "'hanning' or 'hamming', got 'kaiser'"),
        ({"sample_rate": 0}, "1 to 384000 Hz"),
        ({"sample_rate": 10**9}, "1 to 384000 Hz"),
        ({"mel_bins": 0}, "too short"),
        ({"mel_bins": 257}, "too short"),
        ({"frame_shift_ms": 0.0}, "overlap"),
        ({"frame_shift_ms": 0.01}, "too short"),
        ({"frame_shift_ms": 30.0}, "overlap"),
        ({"frame_shift_ms": float("nan")}, "overlap"),
        ({"frame_length_ms": float("inf")}, "at most a second"),
        ({"preemphasis": float("nan")}, "preemphasis"),
        ({"preemphasis": 1.1}, "preemphasis"),
        ({"low_hz": 8_000.0}, "below high_hz"),
        ({"low_hz": -1.0}, "below high_hz"),
        ({"low_hz": float("nan")}, "below high_hz"),
        ({"high_hz": 10.0}, "below high_hz"),
        ({"high_hz": -8_000.0}, "below high_hz"),
        ({"high_hz": 8_001.0}, "up to Nyquist"),
    ],
)
def test_a_front_end_that_cannot_be_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        FbankSpec(**changes)
