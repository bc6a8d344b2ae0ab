import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ast_edge.frontend.fbank import FbankSpec
from ast_edge.frontend.gate import Gate, GateSettings

RATE = 16_000
SPEC = FbankSpec()


def hiss(seconds, dbfs, seed=1):
    rng = np.random.default_rng(seed)
    return rng.normal(0, 10 ** (dbfs / 20), round(seconds * RATE)).astype(np.float32)


def answers(gate, samples, sizes=(), window=RATE // 2, hop=RATE // 10):
    """Feed the samples in pieces of these sizes; ask for every window as soon as it is there."""
    found, start, end = [], 0, hop
    for size in [*sizes, len(samples)]:
        gate.feed(samples[start : start + size])
        start = min(start + size, len(samples))
        while end <= start:
            found.append(gate.is_quiet(end - window, end))
            end += hop
    return found


@pytest.mark.parametrize("settings", [GateSettings(level=-50), GateSettings(above_floor=10)])
@given(sizes=st.lists(st.integers(0, 9000), max_size=8))
def test_any_cutting_gives_the_same_answers(settings, sizes):
    samples = np.concatenate([hiss(0.7, -60), hiss(0.033, -30), hiss(1.2, -60)])
    whole = answers(Gate(settings, SPEC), samples)
    assert answers(Gate(settings, SPEC), samples, sizes) == whole


def test_a_click_is_loud_until_it_has_left_the_window():
    samples = hiss(2.0, -60)
    samples[RATE : RATE + 80] += 0.1  # 5 ms
    found = answers(Gate(GateSettings(level=-50), SPEC), samples)
    # Windows of 0.5 s end every 0.1 s: those that end at 1.1 to 1.5 s hold the click.
    assert found == [True] * 10 + [False] * 5 + [True] * 5


@given(at=st.integers(0, RATE - 1))
def test_wherever_a_click_lies_a_window_with_it_is_loud(at):
    samples = hiss(1.5, -80)
    samples[at : at + 160] += np.resize(np.float32([0.2, -0.2]), 160)[: len(samples) - at]
    assert False in answers(Gate(GateSettings(level=-50), SPEC), samples)


def test_a_constant_offset_is_no_sound():
    found = answers(Gate(GateSettings(level=-50), SPEC), hiss(2, -60) + np.float32(0.25))
    assert all(found[5:])  # the step at the beginning has left the window


def test_the_noise_floor_rises_to_noise_that_lasts():
    gate = Gate(GateSettings(above_floor=10), SPEC)
    assert not any(answers(gate, hiss(5, -70)))
    for minute in range(4):
        gate.feed(hiss(60, -70, seed=minute))
    gate.feed(hiss(1, -70))
    end = 246 * RATE
    assert gate.is_quiet(end - RATE // 2, end)
    gate.feed(hiss(1, -50))
    assert not gate.is_quiet(end, end + RATE)


def test_an_event_at_the_very_beginning_is_not_taken_for_the_floor():
    assert not any(answers(Gate(GateSettings(above_floor=10), SPEC), hiss(3, -20)))


def test_the_floor_falls_at_once_when_noise_ceases():
    gate = Gate(GateSettings(above_floor=10), SPEC)
    for minute in range(10):
        gate.feed(hiss(60, -40, seed=minute))
    gate.feed(hiss(3, -75))
    gate.feed(hiss(0.5, -55))
    end = round(603.5 * RATE)
    assert not gate.is_quiet(end - RATE // 2, end)


def test_the_higher_of_two_limits_counts():
    samples = hiss(1, -60)
    assert all(answers(Gate(GateSettings(level=-50, above_floor=3), SPEC), samples))


def test_after_a_reset_the_past_is_forgotten():
    gate, samples = Gate(GateSettings(level=-50), SPEC), hiss(1, -60)
    gate.feed(hiss(1, -10))
    gate.reset()
    assert all(answers(gate, samples))
