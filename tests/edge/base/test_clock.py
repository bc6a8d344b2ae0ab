import time

from ast_edge.base.clock import SINCE_BOOT, ClockSetting, StartTime, boot_id


class Clock:
    def __init__(self, now):
        self.now = now

    def __call__(self):
        return self.now


def test_a_clock_that_is_set_is_noticed_once():
    wall, steady = Clock(0.0), Clock(50.0)
    setting = ClockSetting(wall, steady)
    wall.now, steady.now = 1.8e9 + 10, 60.0
    assert [setting.feed(), setting.feed()] == [1.8e9, 0.0]
    wall.now -= 3600
    assert [setting.feed(), setting.feed()] == [-3600.0, 0.0]


def test_time_that_passes_is_no_setting():
    wall, steady = Clock(1.8e9), Clock(50.0)
    setting = ClockSetting(wall, steady)
    for clock in (wall, steady):
        clock.now += 86400
    wall.now += 1.5  # a crystal
    assert setting.feed() == 0


def test_a_start_is_told_by_the_clock_as_it_is_now():
    wall, steady = Clock(103.0), Clock(50.0)
    start = StartTime(wall, steady)
    for clock in (wall, steady):
        clock.now += 60
    wall.now += 1e9
    assert [start.read(), start.read()] == [103.0 + 1e9, 103.0 + 1e9]


def test_the_steady_clock_goes_on_and_the_run_of_the_machine_has_a_name():
    before = SINCE_BOOT()
    time.sleep(0.001)
    assert SINCE_BOOT() > before
    assert boot_id() == boot_id() != ""
