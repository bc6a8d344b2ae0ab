import numpy as np
import pytest

from ast_edge.audio.health import OK
from ast_edge.audio.sound_check import CLIPPING_SECONDS, MUTED_SECONDS, SoundCheck

RATE = 1000


def hiss(seconds, channels=1, level=0.01):
    rng = np.random.default_rng(1)
    return rng.normal(0, level, (round(seconds * RATE), channels)).astype(np.float32)


def zeros(seconds, channels=1):
    return np.zeros((round(seconds * RATE), channels), np.float32)


def clipped(seconds):
    return np.clip(hiss(seconds, level=0.8), -1, 1)


def conditions(check, samples, block=RATE // 10):
    return [
        check.feed(samples[i : i + block], RATE).condition for i in range(0, len(samples), block)
    ]


def last(check, samples):
    return conditions(check, samples)[-1]


def test_digital_silence_is_muted_after_the_stated_time():
    found = conditions(SoundCheck(), zeros(MUTED_SECONDS + 1))
    assert found.index("muted") == round(MUTED_SECONDS * 10) - 1
    assert set(found[:299]) == {"ok"}


def test_a_value_that_never_changes_is_muted_too():
    health = SoundCheck(muted_seconds=2).feed(zeros(2) + np.float32(0.3), RATE)
    assert health.reason == "nothing but the same value for 2 s: muted or broken?"


def test_the_faintest_sound_ends_it_at_once():
    check = SoundCheck(muted_seconds=2)
    assert last(check, zeros(3)) == "muted"
    sound = zeros(0.1)
    sound[50] = 1 / 32768
    assert check.feed(sound, RATE) == OK


def test_silence_between_sounds_does_not_add_up():
    check = SoundCheck(muted_seconds=2)
    pieces = np.concatenate([zeros(1.5), hiss(0.1)] * 3)
    assert set(conditions(check, pieces)) == {"ok"}


def test_zero_switches_it_off():
    assert last(SoundCheck(muted_seconds=0), zeros(100)) == "ok"


def test_only_the_chosen_channel_counts():
    samples = hiss(3, channels=2)
    samples[:, 1] = 0
    assert last(SoundCheck(muted_seconds=2, channel=1), samples) == "ok"
    assert last(SoundCheck(muted_seconds=2, channel=2), samples) == "muted"


def test_clipping_all_the_time_is_noticed_after_the_stated_time():
    found = conditions(SoundCheck(), clipped(CLIPPING_SECONDS + 1))
    assert found.index("clipping") == CLIPPING_SECONDS * 10 - 1


def test_a_few_loud_seconds_are_no_clipping():
    check = SoundCheck()
    pieces = np.concatenate([clipped(CLIPPING_SECONDS - 1), hiss(1)] * 3)
    assert set(conditions(check, pieces)) == {"ok"}


def test_clipping_is_over_when_as_many_seconds_do_not_clip():
    check = SoundCheck()
    assert last(check, clipped(CLIPPING_SECONDS)) == "clipping"
    assert last(check, hiss(CLIPPING_SECONDS - 1)) == "clipping"
    assert last(check, hiss(1)) == "ok"


@pytest.mark.parametrize("samples", [zeros(0), zeros(0, channels=2)])
def test_no_samples_say_nothing(samples):
    assert SoundCheck().feed(samples, RATE) == OK
