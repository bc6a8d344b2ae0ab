import time
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ast_edge.base.clock import FIRST_TIME
from ast_edge.detection.schedule import DAYS, Schedule, find_zone, parse_period

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = ["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia"]


def schedule(*texts, zone=BERLIN):
    return Schedule(tuple(map(parse_period, texts)), zone)


def is_active(period, moment):
    """`moment` is local time in Berlin, as "2026-03-02 21:59"."""
    local = datetime.fromisoformat(moment).replace(tzinfo=BERLIN)
    return schedule(period).is_active(local.timestamp())


def active_minutes(period, first, last):
    """Count the minutes of real time from one Berlin date's noon to another's."""
    begin, end = (
        int(datetime.fromisoformat(f"{day} 12:00").replace(tzinfo=BERLIN).timestamp())
        for day in (first, last)
    )
    return sum(schedule(period).is_active(t) for t in range(begin, end, 60))


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-03-02 07:59", False),
        ("2026-03-02 08:00", True),
        ("2026-03-02 16:59", True),
        ("2026-03-02 17:00", False),
        ("2026-03-06 08:00", True),
        ("2026-03-07 08:00", False),  # a Saturday
    ],
)
def test_hours_hold_on_their_days_from_start_up_to_end(moment, expected):
    assert is_active("mon-fri 08:00-17:00", moment) is expected


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-03-06 05:00", False),  # the night that began on Thursday
        ("2026-03-06 22:00", True),
        ("2026-03-07 05:59", True),
        ("2026-03-07 06:00", False),
        ("2026-03-07 22:00", False),
    ],
)
def test_hours_over_midnight_belong_to_the_day_they_begin_on(moment, expected):
    assert is_active("fri 22:00-06:00", moment) is expected


def test_days_alone_are_whole_days():
    whole = [f"2026-03-{day:02} {hour}" for day in (7, 8) for hour in ("00:00", "12:00", "23:59")]
    assert all(is_active("sat,sun", moment) for moment in whole)
    assert not is_active("sat,sun", "2026-03-06 23:59")
    assert not is_active("sat,sun", "2026-03-09 00:00")


def test_one_of_several_periods_is_enough():
    both = schedule("00:00-01:00", "02:00-03:00", zone=timezone.utc)
    year = datetime(2026, 1, 1, tzinfo=timezone.utc).timestamp()
    assert [both.is_active(year + 3600 * hour) for hour in range(4)] == [True, False, True, False]


def test_the_night_in_which_clocks_go_forward_is_an_hour_shorter():
    assert active_minutes("22:00-06:00", "2026-03-27", "2026-03-28") == 8 * 60
    assert active_minutes("22:00-06:00", "2026-03-28", "2026-03-29") == 7 * 60


def test_the_night_in_which_clocks_go_back_is_an_hour_longer():
    assert active_minutes("22:00-06:00", "2026-10-24", "2026-10-25") == 9 * 60


def test_an_hour_that_is_skipped_does_not_come_and_one_that_is_repeated_comes_twice():
    assert active_minutes("02:00-03:00", "2026-03-28", "2026-03-29") == 0
    assert active_minutes("02:00-03:00", "2026-10-24", "2026-10-25") == 120


MINUTES = st.integers(0, 24 * 60 - 1)
TIMES = st.integers(1_600_000_000, 2_000_000_000)


def clock(minutes):
    return f"{minutes // 60:02}:{minutes % 60:02}"


@given(MINUTES, MINUTES, TIMES, st.sampled_from(ZONES))
def test_hours_and_the_hours_between_them_share_the_day(start, end, moment, zone):
    if start == end:
        end = (end + 1) % (24 * 60)
    zone = ZoneInfo(zone)
    hours = schedule(f"{clock(start)}-{clock(end)}", zone=zone)
    others = schedule(f"{clock(end)}-{clock(start)}", zone=zone)
    assert hours.is_active(moment) is not others.is_active(moment)


@given(
    st.sets(st.sampled_from(DAYS), min_size=1), MINUTES, st.integers(1, 24 * 60 - 1), TIMES,
    st.sampled_from(ZONES),
)  # fmt: skip
def test_a_time_is_active_exactly_if_a_period_that_began_that_day_or_the_day_before_holds_it(
    days, start, length, moment, zone
):
    hours = f"{clock(start)}-{clock((start + length) % (24 * 60))}"
    found = schedule(f"{','.join(sorted(days))} {hours}", zone=ZoneInfo(zone)).is_active(moment)
    # The same by dates: on the wall, a period is from a date's start for so long.
    wall = datetime.fromtimestamp(moment, ZoneInfo(zone)).replace(tzinfo=None)
    midnight = wall.replace(hour=0, minute=0, second=0)
    begins = [midnight + timedelta(days=back, minutes=start) for back in (-1, 0)]
    assert found is any(
        DAYS[begin.weekday()] in days and begin <= wall < begin + timedelta(minutes=length)
        for begin in begins
    )


def test_without_a_zone_the_systems_holds(monkeypatch):
    moment = datetime(2026, 3, 2, 12, 30, tzinfo=timezone.utc).timestamp()
    try:
        for zone, expected in (("UTC0", True), ("EST5", False)):
            monkeypatch.setenv("TZ", zone)
            time.tzset()
            assert schedule("12:00-13:00", zone=None).is_active(moment) is expected
    finally:
        monkeypatch.undo()
        time.tzset()


def test_seconds_of_a_file_are_no_times_of_day():
    assert all(schedule("12:00-12:01").is_active(t) for t in (0.0, 3600.0, FIRST_TIME - 1))


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("00:00-24:00", range(7)),
        ("Mon 00:00-24:00", [0]),
        ("mon,wed-fri 00:00-24:00", [0, 2, 3, 4]),
        ("fri-mon", [4, 5, 6, 0]),
        ("tue-tue", [1]),
    ],
)
def test_days_are_single_or_from_to(text, days):
    period = parse_period(text)
    assert (period.days, period.start, period.end) == (frozenset(days), 0, 24 * 60)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected hours, days or both"),
        ("22-06", "expected hours, days or both"),
        ("8:00-17:00", "expected hours, days or both"),
        ("08:00-17:60", "expected hours, days or both"),
        ("mon tue 08:00-17:00", "expected hours, days or both"),
        ("mon-fri 08:00", "expected hours, days or both"),
        ("08:00-08:00", "expected hours with a length, up to 24:00, got '08:00-08:00'"),
        ("08:00-24:30", "expected hours with a length, up to 24:00"),
        ("mo-fr 08:00-17:00", "expected days of mon, tue, wed, thu, fri, sat, sun, got 'mo'"),
        ("weekdays", "expected days of .*, got 'weekdays'"),
        ("mon-", "expected days of .*, got ''"),
    ],
)
def test_what_is_no_period_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        parse_period(text)


def test_a_zone_is_found_by_name():
    assert find_zone("Europe/Berlin") == BERLIN


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Europe/Berlni", r"no time zone 'Europe/Berlni', did you mean 'Europe/Berlin'\?"),
        ("../../etc/passwd", "no time zone .*; expected one such as 'Europe/Berlin'"),
    ],
)
def test_an_unknown_zone_is_refused_with_the_nearest_one(name, message):
    with pytest.raises(ValueError, match=message):
        find_zone(name)
