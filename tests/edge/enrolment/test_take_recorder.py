import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ast_edge.enrolment.take_recorder import AFTER, BEFORE, LONGEST, TakeRecorder

RATE = 8000


def room(seconds, level=0.001, seed=0):
    noise = np.random.default_rng(seed).standard_normal(round(seconds * RATE))
    return (level * noise).astype(np.float32)


def bell(seconds):
    return 0.3 * np.sin(np.arange(round(seconds * RATE))).astype(np.float32)


def feed(recorder, samples, block=800):
    """Return the first take (samples,), and how much was fed until it was there."""
    for start in range(0, len(samples), block):
        take = recorder.feed(samples[start : start + block])
        if take is not None:
            return take, start + block
    return None, len(samples)


def test_a_take_is_the_sound_with_a_little_before_and_after_it():
    take, _ = feed(TakeRecorder(RATE), np.concatenate([room(3), bell(1.2), room(3)]))
    assert len(take) / RATE == pytest.approx(BEFORE + 1.2 + AFTER, abs=0.1)


def test_a_short_pause_within_the_sound_does_not_end_it():
    ding_dong = np.concatenate([room(2), bell(0.4), room(0.6), bell(0.4), room(3)])
    take, _ = feed(TakeRecorder(RATE), ding_dong)
    assert len(take) / RATE == pytest.approx(BEFORE + 1.4 + AFTER, abs=0.1)


@pytest.mark.parametrize("level", [0.0, 0.0001, 0.05])
def test_a_room_is_no_take_however_loud_it_always_is(level):
    assert feed(TakeRecorder(RATE), room(20, level))[0] is None


def test_what_is_loud_from_the_first_moment_is_no_take():
    assert feed(TakeRecorder(RATE), bell(5))[0] is None


def test_a_sound_that_does_not_end_is_cut():
    take, _ = feed(TakeRecorder(RATE), np.concatenate([room(2), bell(30)]))
    assert len(take) / RATE == pytest.approx(LONGEST, abs=0.1)


def test_it_says_when_it_hears_something():
    recorder = TakeRecorder(RATE)
    feed(recorder, room(2))
    assert not recorder.hears
    feed(recorder, bell(0.3))
    assert recorder.hears


def test_after_a_reset_the_next_take_is_waited_for():
    recorder = TakeRecorder(RATE)
    for _ in range(2):
        take, _ = feed(recorder, np.concatenate([room(2), bell(0.5), room(2)]))
        assert take is not None
        recorder.reset()


@settings(max_examples=20)
@given(st.integers(1, 5000))
def test_any_cutting_of_the_stream_gives_the_same_take(block):
    stream = np.concatenate([room(1), bell(0.3), room(1.5)])
    expected, _ = feed(TakeRecorder(RATE), stream, 800)
    assert np.array_equal(feed(TakeRecorder(RATE), stream, block)[0], expected)
