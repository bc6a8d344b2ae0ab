import pytest

from ast_edge.audio.rate_check import LONGEST_LEAD, PERIOD, PERIODS, RateCheck

RATE = 48_000


def complaint_after(check, rate, seconds, start=0.0, block=0.1):
    """Feed so many seconds at a rate; return when it complains and what it says."""
    for number in range(1, round(seconds / block) + 1):
        now = start + number * block
        if said := check.feed(round(rate * block), now):
            return now, said
    return None


@pytest.mark.parametrize("rate", [RATE, RATE * 1.02, RATE * 0.98])
def test_a_rate_that_is_nearly_right_is_steady(rate):
    check = RateCheck(RATE, 0.0)
    assert complaint_after(check, rate, 300) is None
    assert check.is_steady


@pytest.mark.parametrize("rate", [44_100, 40_000, 1000, 52_000])
def test_a_wrong_rate_is_noticed_after_20_seconds(rate):
    now, said = complaint_after(RateCheck(RATE, 0.0), rate, 60)
    assert now == pytest.approx(PERIOD * PERIODS, abs=1.0)
    assert said == f"it delivers {rate} samples a second instead of {RATE}"


def test_a_flood_is_noticed_after_10_seconds_of_sound():
    sound, check = 0, RateCheck(RATE, 0.0)
    while not (said := check.feed(RATE, 0.001)):
        sound += 1
    assert sound == LONGEST_LEAD
    assert said == "its sound is 10 s ahead of time: is it a recording?"


def test_a_burst_and_a_pause_are_no_wrong_rate():
    check = RateCheck(RATE, 0.0)
    assert check.feed(9 * RATE, 0.1) is None  # what a server had kept
    assert complaint_after(check, RATE, 30, start=0.1) is None
    assert check.feed(1, 45.0) is None  # a pause
    assert complaint_after(check, RATE, 30, start=45.0) is None
    assert check.is_steady


def test_a_crystal_that_is_slightly_off_never_adds_up():
    check = RateCheck(1000, 0.0)
    assert complaint_after(check, 1010, 20 * 60, block=1.0) is None  # 12 s ahead in the end


@pytest.mark.parametrize(
    ("stated", "true", "offered"),
    [
        (48_000, 44_100, 44_100),
        (48_000, 96_000, 96_000),
        (16_000, 31_900, 32_000),
        (16_000, 14_710, 14_700),  # 44.1 kHz that are said to be 48, converted to 16
        (48_000, 30_000, None),
    ],
)
def test_a_usual_rate_that_was_stated_wrongly_is_offered(stated, true, offered):
    check = RateCheck(stated, 0.0)
    assert complaint_after(check, true, 60)
    assert check.likely_rate == offered
