import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ast_edge.audio.stream import Block, Stream
from ast_edge.audio.timeline import Anchor, Timeline
from ast_edge.frontend.conditioner import Conditioning
from ast_edge.frontend.fbank import LOG_FLOOR, FbankSpec, RollingFbank, fbank
from ast_edge.frontend.gate import GateSettings
from ast_edge.frontend.listener import Listener
from ast_edge.frontend.listening import Listening

SPEC = FbankSpec(mel_bins=16)
FRAMES = 30
HOP = 0.1


def make_stream(rate=SPEC.sample_rate, channels=1):
    return Stream("test", rate, channels, started_at=0.0, live=False)


def noise(seconds, rate=SPEC.sample_rate, channels=1):
    rng = np.random.default_rng(1)
    return rng.normal(0, 0.1, (round(seconds * rate), channels)).astype(np.float32)


def listen(samples, stream, sizes=(), listener=None):
    """Feed the samples in blocks of these sizes, and the rest in one; return all windows."""
    listener = listener or Listener(Listening(SPEC, FRAMES, HOP))
    windows, start = [], 0
    for size in [*sizes, len(samples)]:
        block = samples[start : start + size]
        windows += listener.feed(Block(stream, start, block))
        start += len(block)
    return windows + listener.flush()


def times(windows):
    return [(round(w.start, 6), round(w.end, 6), round(w.hop, 6)) for w in windows]


@pytest.mark.parametrize(("rate", "channels"), [(16_000, 1), (8_000, 2), (44_100, 1)])
@given(data=st.data())
def test_any_cutting_gives_the_same_windows(rate, channels, data):
    cuts = st.lists(st.sampled_from([0, 1, 7, rate // 100, rate // 10, rate // 2]), max_size=12)
    samples, stream = noise(1.03, rate, channels), make_stream(rate, channels)
    whole = listen(samples, stream)
    pieces = listen(samples, stream, data.draw(cuts))
    assert times(pieces) == times(whole)
    for a, b in zip(pieces, whole, strict=True):
        assert np.abs(a.fbank - b.fbank).max() <= 1e-4


def test_a_window_is_the_filterbank_of_its_samples():
    samples = noise(1.0)
    window = listen(samples, make_stream())[-1]
    first, last = round(window.start * 16_000), round(window.end * 16_000)
    assert window.fbank == pytest.approx(fbank(samples[first:last, 0], SPEC), abs=1e-5)


def test_windows_follow_each_other_by_a_hop_and_end_with_their_last_frame():
    windows = listen(noise(0.35), make_stream())
    # 10 frames end after 9 shifts and one frame length: 115 ms. The last hop is what was left.
    assert times(windows) == [
        (-0.2, 0.115, 0.1),
        (-0.1, 0.215, 0.1),
        (0.0, 0.315, 0.1),
        (0.03, 0.345, 0.03),
    ]


def test_before_the_first_sample_lies_silence():
    first = listen(noise(0.2), make_stream())[0]
    assert np.all(first.fbank[:20] == np.float32(LOG_FLOOR))
    assert np.all(first.fbank[20:] > LOG_FLOOR)


def test_a_stream_of_less_than_one_frame_has_no_window():
    assert listen(noise(0.02), make_stream()) == []


def test_flush_before_the_first_block_gives_nothing():
    assert Listener(Listening(SPEC, FRAMES, HOP)).flush() == []


def test_a_block_of_a_new_stream_starts_afresh():
    samples, listener = noise(0.5), Listener(Listening(SPEC, FRAMES, HOP))
    listener.feed(Block(make_stream(), 0, noise(0.777)))
    second = make_stream()
    again = listen(samples, second, listener=listener)
    alone = listen(samples, second)
    assert times(again) == times(alone)
    assert all(window.stream is second for window in again)
    assert np.array_equal(again[0].fbank, alone[0].fbank)


@given(cuts=st.lists(st.integers(1, 39_999), max_size=20))
def test_a_window_tells_the_times_of_its_sound_however_the_stream_is_cut(cuts):
    listener, stream, windows = Listener(Listening(SPEC, FRAMES, HOP)), make_stream(8000), []
    anchors = (Anchor(0.0, 0.0), Anchor(1.0, 1.0, 1.5), Anchor(3.0, 4.0, 0.5))
    sound = noise(5.0, 8000)
    for start, stop in itertools.pairwise(sorted({0, 8_000, 24_000, 40_000, *cuts})):
        anchor = next(a for a in reversed(anchors) if a.second * 8000 <= start)
        windows += listener.feed(Block(stream, start, sound[start:stop], anchor))
    windows += listener.flush()
    assert windows[-1].heard_at == pytest.approx(5.0, abs=0.01)
    for window in windows:
        for second in (max(window.start, 0.0), window.heard):
            assert window.when.time_at(second) == Timeline(anchors).time_at(second)


def test_a_listener_keeps_no_more_than_a_minute_of_times():
    listener, stream, anchor = (
        Listener(Listening(SPEC, FRAMES, HOP)),
        make_stream(),
        Anchor(0.0, 0.0),
    )
    for second in range(200):
        (*_, window) = listener.feed(Block(stream, second * 16000, noise(1.0), anchor))
        anchor = Anchor(second + 1.0, anchor.time_at(second + 1.0), 1.001)
    assert len(window.times.anchors) == 62


def test_a_new_stream_may_have_another_format():
    listener = Listener(Listening(SPEC, FRAMES, HOP))
    listener.feed(Block(make_stream(8_000, 2), 0, noise(0.5, 8_000, 2)))
    windows = listen(noise(0.5, 48_000), make_stream(48_000), listener=listener)
    assert times(windows)[0] == (-0.2, 0.115, 0.1)


def test_after_a_flush_the_same_stream_starts_afresh():
    samples, listener, stream = noise(0.5), Listener(Listening(SPEC, FRAMES, HOP)), make_stream()
    once = times(listen(samples, stream, listener=listener))
    assert times(listen(samples, stream, listener=listener)) == once


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000])
def test_a_resampled_click_lies_where_it_was(rate):
    samples = np.zeros((rate, 1), np.float32)
    samples[rate // 2] = 0.9
    window = next(w for w in listen(samples, make_stream(rate)) if w.end > 0.6)
    loudest = int(window.fbank.sum(axis=1).argmax())
    begin = window.start + loudest * 0.01
    assert begin <= 0.5 <= begin + 0.025


def test_bad_samples_are_reported_once_per_stream(caplog):
    listener, samples = Listener(Listening(SPEC, FRAMES, HOP)), noise(0.1)
    samples[3:6] = np.nan
    for stream in (make_stream(), make_stream()):
        listener.feed(Block(stream, 0, samples))
        listener.feed(Block(stream, len(samples), samples))
    listener.feed(Block(make_stream(), 0, noise(0.1)))
    said = "samples that are no numbers, or far too large, are taken as silence"
    assert [said in message for message in caplog.messages] == [True, True]


def test_sliding_out_goes_on_until_the_sound_has_left_the_window():
    stream, samples = make_stream(), noise(0.7)
    ended, slid = Listener(Listening(SPEC, FRAMES, HOP)), Listener(Listening(SPEC, FRAMES, HOP))
    for listener in (ended, slid):
        listener.feed(Block(stream, 0, samples))
    windows, more = ended.flush(), slid.slide_out()
    assert [w.end for w in more[: len(windows)]] == [w.end for w in windows]
    assert more[-1].start >= windows[-1].end - HOP - SPEC.frame_length_ms / 1000
    assert {w.heard for w in more[len(windows) :]} == {windows[-1].end}


def test_sliding_out_before_the_first_block_gives_nothing():
    assert Listener(Listening(SPEC, FRAMES, HOP)).slide_out() == []


def test_a_nan_leaves_no_trace_in_the_windows():
    samples = noise(1.0, 44_100)
    samples[1000] = np.nan
    samples[2000] = np.inf
    windows = listen(samples, make_stream(44_100))
    assert all(np.isfinite(window.fbank).all() for window in windows)


def test_a_tiny_hop_is_one_frame():
    windows = listen(noise(0.1), make_stream(), listener=Listener(Listening(SPEC, FRAMES, 0.001)))
    assert len(windows) == SPEC.frames_in(1600)


@given(data=st.data())
def test_any_cutting_gives_the_same_conditioned_and_gated_windows(data):
    cuts = st.lists(st.sampled_from([0, 1, 7, 160, 1600, 8000]), max_size=12)
    samples, stream = noise(1.03, channels=2), make_stream(channels=2)
    samples[:9000] *= 1e-4
    samples[9000:9100, 1] += 0.5

    def ear():
        conditioning = Conditioning(gain_db=3, high_pass=100, channel=2)
        gate = GateSettings(level=-40)
        return Listener(Listening(SPEC, FRAMES, HOP, conditioning, gate, idle_hop=4 * HOP))

    whole = listen(samples, stream, listener=ear())
    pieces = listen(samples, stream, data.draw(cuts), listener=ear())
    assert [(w.quiet, w.idle) for w in pieces] == [(w.quiet, w.idle) for w in whole]
    assert {w.quiet for w in whole} == {w.idle for w in whole} == {True, False}
    for a, b in zip(pieces, whole, strict=True):
        assert np.abs(a.fbank - b.fbank).max() <= 1e-4


def test_one_channel_gives_the_windows_of_that_channel_alone():
    samples = noise(0.5, channels=2)
    chosen = Listener(Listening(SPEC, FRAMES, HOP, Conditioning(channel=2)))
    found = listen(samples, make_stream(channels=2), listener=chosen)
    alone = listen(samples[:, 1:], make_stream())
    assert all(np.array_equal(a.fbank, b.fbank) for a, b in zip(found, alone, strict=True))


def test_without_a_gate_no_window_is_quiet():
    assert not any(window.quiet for window in listen(np.zeros((16_000, 1)), make_stream()))


def test_while_nothing_new_sounds_one_window_in_an_idle_hop_is_not_idle():
    ear = Listener(Listening(SPEC, FRAMES, HOP, idle_hop=4 * HOP))
    windows = listen(np.tile(noise(0.5), (8, 1)), make_stream(), listener=ear)
    settled = [window for window in windows if window.start > 1.0]
    looks = [round(w.end - SPEC.samples_in(1) / SPEC.sample_rate, 2) for w in settled if not w.idle]
    assert np.diff(looks) == pytest.approx(4 * HOP, abs=0.011)
    assert len(looks) >= 3


def test_without_an_idle_hop_no_window_is_idle():
    assert not any(w.idle for w in listen(np.zeros((32_000, 1)), make_stream()))


def test_frames_are_computed_once_a_hop_however_small_the_blocks(monkeypatch):
    calls, feed = [], RollingFbank.feed

    def counted(self, samples):
        calls.append(len(samples))
        return feed(self, samples)

    monkeypatch.setattr(RollingFbank, "feed", counted)
    samples = noise(1.03)
    windows = listen(samples, make_stream(), sizes=[80] * 200)
    assert len(calls) == len(windows) == 11  # the last one is what the end completes
    assert sum(calls) == len(samples)
