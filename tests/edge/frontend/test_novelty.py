import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ast_edge.frontend.fbank import LOG_FLOOR, FbankSpec, fbank
from ast_edge.frontend.novelty import BLOCK, Novelty

RATE, WINDOW = 16_000, 100
SPEC = FbankSpec()


def frames_of(samples):
    return fbank(samples.astype(np.float32), SPEC)


def hiss(seconds, dbfs=-50):
    rng = np.random.default_rng(1)
    return rng.normal(0, 10 ** (dbfs / 20), round(seconds * RATE))


def tone(seconds, hertz, dbfs=-30):
    return 10 ** (dbfs / 20) * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)


def settled(frames, sizes=(), hop=BLOCK, window=WINDOW):
    """Feed the frames in pieces of these sizes; return the ends (frames) of settled windows."""
    novelty, found, start, end = Novelty(window, SPEC.mel_bins), [], 0, hop
    for size in [*sizes, len(frames)]:
        novelty.feed(frames[start : start + size])
        start = min(start + size, len(frames))
        while end <= start:
            if novelty.is_settled(end - window, end):
                found.append(end)
            end += hop
    return found


@given(sizes=st.lists(st.integers(0, 90), max_size=8), hop=st.sampled_from([7, 10, 50]))
def test_any_cutting_gives_the_same_answers(sizes, hop):
    sound = hiss(4.0)
    sound[2 * RATE : 3 * RATE] += tone(1.0, 900)
    frames = frames_of(sound)
    assert settled(frames, sizes, hop) == settled(frames, hop=hop)


def test_noise_that_lasts_is_settled_when_its_beginning_has_left_the_window():
    found = settled(frames_of(hiss(5.0)))
    assert found[0] == WINDOW + BLOCK
    assert len(found) == len(range(found[0], found[-1] + 1, BLOCK))


@pytest.mark.parametrize("hertz", [100, 900, 6000])
def test_a_tone_over_noise_is_new_until_its_beginning_has_left_the_window(hertz):
    sound = hiss(6.0)
    sound[3 * RATE :] += tone(3.0, hertz)
    found = settled(frames_of(sound))
    ends = set(range(300 + BLOCK, 300 + WINDOW, BLOCK))  # the tone is in all of these windows
    assert ends.isdisjoint(found)
    assert {300 - BLOCK, 300 + WINDOW + 3 * BLOCK} <= set(found)


@given(at=st.integers(2 * RATE, 3 * RATE - 400))
def test_wherever_a_click_lies_a_window_that_holds_it_is_not_settled(at):
    sound = hiss(4.0)
    sound[at : at + 160] += hiss(0.01, dbfs=-20)
    end = -(-SPEC.frames_in(at + 160) // BLOCK) * BLOCK
    assert end + BLOCK not in settled(frames_of(sound))


def test_what_ceases_is_not_new():
    sound = hiss(5.0)
    fade = np.clip(np.linspace(30, 0, 3 * RATE), 0, 1)  # cut off, it would click
    sound[: 3 * RATE] += tone(3.0, 900) * fade
    found = settled(frames_of(sound))
    assert set(range(200, found[-1] + 1, BLOCK)) <= set(found)


def test_what_is_no_louder_than_a_sound_in_the_window_is_not_new():
    sound = hiss(4.0)
    for start in (0.5, 1.2, 1.9, 2.6):
        sound[round(start * RATE) :][: RATE // 5] += tone(0.2, 900)
    found = settled(frames_of(sound))
    assert set(range(200, found[-1] + 1, BLOCK)) <= set(found)


def test_the_beginning_of_a_stream_is_new_even_if_it_is_silent():
    frames = np.full((3 * WINDOW, SPEC.mel_bins), LOG_FLOOR, np.float32)
    assert settled(frames, hop=5)[0] == WINDOW + BLOCK


def test_a_reset_begins_a_new_stream():
    novelty, frames = Novelty(WINDOW, SPEC.mel_bins), frames_of(hiss(3.0))
    novelty.feed(frames)
    assert novelty.is_settled(200 - WINDOW, 200)
    novelty.reset()
    novelty.feed(frames[:50])
    assert not novelty.is_settled(50 - WINDOW, 50)


def test_a_front_end_of_few_bins_has_as_many_bands():
    novelty = Novelty(20, 3)
    novelty.feed(np.zeros((45, 3), np.float32))
    assert novelty.is_settled(20, 40)
    louder = np.zeros((15, 3), np.float32)
    louder[:, 2] = 3
    novelty.feed(louder)
    assert not novelty.is_settled(40, 60)
