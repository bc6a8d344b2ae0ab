from dataclasses import replace

import pytest

from ast_edge.detection.snooze import begin_snooze

STEADY, WALL = 1000.0, 1.8e9
HALF_AN_HOUR = 1800.0


@pytest.fixture
def snooze():
    return begin_snooze(HALF_AN_HOUR, STEADY, lambda: WALL)


def in_another_run(snooze):
    """Return it as the machine knows it that has been started anew."""
    return replace(snooze, boot="another")


def resume(snooze, wall, steady=20.0):
    return snooze.resumed(lambda: steady, lambda: wall)


@pytest.mark.parametrize("set_by", [-8 * 3600, 0, 8 * 3600])
def test_a_wall_clock_that_is_set_changes_nothing(snooze, set_by):
    resumed = resume(snooze, WALL + set_by)
    assert resumed.left(STEADY + 600) == 1200
    assert resumed.left(STEADY + 1800) == 0


def test_it_goes_on_by_the_wall_clock_after_a_new_start_of_the_machine(snooze):
    resumed = resume(in_another_run(snooze), WALL + 600, steady=20.0)
    assert resumed.left(20.0) == 1200
    assert resumed.left(20.0 + 1200) == 0


def test_it_is_over_when_the_machine_was_off_for_longer(snooze):
    assert resume(in_another_run(snooze), WALL + 1801).left(20.0) == 0


@pytest.mark.parametrize("wall", [0.0, WALL - 8 * 3600])
def test_a_clock_that_is_behind_after_a_new_start_makes_it_no_longer(snooze, wall):
    resumed = resume(in_another_run(snooze), wall, steady=20.0)
    assert resumed.left(20.0) == HALF_AN_HOUR
    assert resumed.left(20.0 + HALF_AN_HOUR) == 0
