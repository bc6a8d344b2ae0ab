import pytest

from ast_edge.audio.sample_clock import SampleClock

RATE = 16000


def run(clock, errors_per_second):
    """Feed one arrival per second of sound with the given lateness; return the verdicts."""
    return [
        clock.has_run_away(second * RATE, 1000 + second + error)
        for second, error in enumerate(errors_per_second, start=1)
    ]


def test_a_good_clock_never_runs_away():
    assert not any(run(SampleClock(RATE, 1000), [0.5, -0.5] * 50))


@pytest.mark.parametrize("error", [1.5, -1.5, 86400])
def test_a_lasting_error_is_noticed_after_ten_seconds_of_sound(error):
    verdicts = run(SampleClock(RATE, 1000), [0, *[error] * 11])
    assert verdicts == [False] * 11 + [True]


def test_sound_that_was_only_held_up_is_on_time_again():
    assert not any(run(SampleClock(RATE, 1000), [*[3.0] * 9, 0.1] * 5))


def test_the_error_is_positive_when_sound_comes_late():
    assert SampleClock(RATE, 1000).error(RATE, 1003) == pytest.approx(2)


def test_what_is_excused_counts_no_more():
    clock = SampleClock(RATE, 1000, patience=2.0)
    assert run(clock, [3.0] * 2) == [False, False]
    clock.excuse()
    verdicts = [clock.has_run_away(s * RATE, 1003 + s) for s in range(3, 6)]
    assert verdicts == [False, False, True]
