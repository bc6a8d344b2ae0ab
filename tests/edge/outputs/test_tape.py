import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ast_edge.audio.stream import Block, Stream
from ast_edge.audio.timeline import Anchor
from ast_edge.outputs.tape import Tape

RATE = 16_000


def stream(channels=1, rate=RATE):
    return Stream("kitchen", rate, channels, 1_700_000_000.0, live=True)


def record(tape, samples, cuts=()):
    edges = [0, *sorted(cuts), len(samples)]
    for start, stop in itertools.pairwise(edges):
        tape.feed(Block(tape.stream, start, samples[start:stop]))


@given(
    cuts=st.lists(st.integers(0, 500), max_size=8),
    start=st.integers(-50, 550),
    length=st.integers(0, 600),
)
def test_any_cutting_of_the_stream_gives_the_same_samples(cuts, start, length):
    ramp = np.arange(500, dtype=np.int16)
    tape = Tape(stream())
    record(tape, (ramp / np.float32(32768)).astype(np.float32)[:, None], cuts)
    expected = ramp[max(0, start) : max(0, start + length)]
    assert np.array_equal(tape.cut(start, start + length), expected)


def test_all_16_bits_survive():
    values = np.arange(-32768, 32768, dtype=np.int32)
    tape = Tape(stream())
    record(tape, (values / 32768).astype(np.float32)[:, None])
    assert np.array_equal(tape.cut(0, len(values)), values)


def test_what_exceeds_full_scale_is_clipped_and_what_is_no_number_is_silence():
    tape = Tape(stream())
    record(tape, np.array([2.0, -2.0, np.nan, np.inf, -np.inf], np.float32)[:, None])
    assert tape.cut(0, 5).tolist() == [32767, -32768, 0, 0, 0]


@pytest.mark.parametrize(("channel", "expected"), [(None, 2), (1, 1), (2, 3)])
def test_one_channel_is_recorded_or_the_mean_of_all(channel, expected):
    tape = Tape(stream(channels=2), channel)
    record(tape, np.array([[1 / 32768, 3 / 32768]], np.float32))
    assert tape.cut(0, 1).tolist() == [expected]


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000])
def test_a_time_in_hundredths_of_a_second_is_the_nearest_sample(rate):
    tape = Tape(stream(rate=rate))
    for step in range(0, 400_000, 997):
        moment = tape.stream.started_at + step / 100
        assert abs(tape.sample_at(moment) - step * rate / 100) <= 0.5


def test_a_time_is_the_sample_that_was_then_though_the_clock_drifts():
    tape, anchor = Tape(stream()), Anchor(0.0, 1_700_000_000.0)
    for second in range(3600):
        block = np.zeros((RATE, 1), np.float32)
        tape.feed(Block(tape.stream, second * RATE, block, anchor))
        anchor = Anchor(second + 1.0, anchor.time_at(second + 1.0), 1.0002)
        tape.forget(tape.end - 20 * RATE)
    # All but the first second lasted 0.2 ms longer.
    newest = 1_700_000_000.0 + 1 + 3599 * 1.0002
    assert abs(tape.sample_at(newest) - 3600 * RATE) < RATE / 1000
    assert abs(tape.sample_at(newest - 10.002) - 3590 * RATE) < RATE / 1000
    assert len(tape._times.anchors) <= 22


def test_what_was_forgotten_takes_no_memory_and_the_rest_stays():
    tape = Tape(stream())
    for start in range(0, 10_000, 100):
        block = np.full((100, 1), start / 32768, np.float32)
        tape.feed(Block(tape.stream, start, block))
        tape.forget(tape.end - 250)
    assert len(tape.cut(0, 10_000)) == 300
    assert tape.cut(9_799, 9_801).tolist() == [9_700, 9_800]
