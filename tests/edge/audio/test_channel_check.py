import numpy as np
import pytest

from ast_edge.audio.channel_check import PERIOD, PERIODS, ChannelCheck

RATE = 1000
SECONDS = PERIOD * PERIODS + 1


def hiss(seed, level=0.1, seconds=SECONDS):
    return np.random.default_rng(seed).normal(0, level, round(seconds * RATE))


def said(*channels, check=None):
    check, sound = check or ChannelCheck(), np.stack(channels, axis=1).astype(np.float32)
    for start in range(0, len(sound), 100):
        said = check.feed(sound[start : start + 100], RATE)
    return said


@pytest.mark.parametrize("other", [hiss(1), hiss(2), hiss(2, 0.02), 0.3 * hiss(1) + hiss(2, 0.01)])
def test_channels_that_belong_together_are_mixed_without_a_word(other):
    assert said(hiss(1), other) == ""


def test_one_channel_is_nobody_elses_business():
    assert said(hiss(1)) == ""


@pytest.mark.parametrize("channels", [2, 6, 8])
def test_the_only_channel_with_sound_is_named(channels):
    sound = [hiss(n, 0.0005) for n in range(channels)]
    sound[channels - 1] = hiss(0)
    assert said(*sound) == (
        f"only channel {channels} of {channels} has sound, which their mean makes quieter: "
        f"choose it by `channel: {channels}`"
    )


def test_channels_in_antiphase_are_said():
    assert said(hiss(1), -hiss(1)).startswith("its channels cancel each other out: choose one")
    assert said(hiss(1), 0.8 * -hiss(1) + hiss(2, 0.005)).startswith("its channels cancel")


def test_silence_says_nothing_and_changes_nothing():
    check = ChannelCheck()
    silence = np.zeros(round(SECONDS * RATE))
    assert said(silence, silence, check=check) == ""
    assert said(hiss(1), -hiss(1), check=check)
    assert said(silence, silence, check=check)


def test_a_sound_near_one_microphone_for_a_while_is_nothing_wrong():
    near = [hiss(1, 0.3, 15), hiss(2, 0.01, 15)]
    assert said(*np.concatenate([near, near[::-1], near], axis=1)) == ""


def test_it_is_over_when_all_have_sound_again():
    check = ChannelCheck()
    assert said(hiss(1), -hiss(1), check=check)
    assert said(hiss(1), hiss(1), check=check) == ""


def test_another_number_of_channels_begins_anew():
    check = ChannelCheck()
    assert said(hiss(1), -hiss(1), check=check)
    assert said(hiss(1), check=check) == ""
