"""Hours of the week in local time."""

import re
from dataclasses import dataclass
from datetime import datetime, tzinfo
from zoneinfo import ZoneInfo, available_timezones

from ast_edge.base.clock import FIRST_TIME
from ast_edge.base.yaml_file import did_you_mean

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")


@dataclass(frozen=True)
class Period:
    """Hours on some days of the week; those over midnight belong to the day they begin on."""

    text: str
    """As it is written in the configuration."""
    days: frozenset[int]
    """Monday is 0."""
    start: int
    """Minutes since midnight."""
    end: int
    """Minutes since midnight, not included; of the next day if not after `start`."""

    def includes(self, moment: datetime) -> bool:
        """Tell whether a moment of local time lies within."""
        minute = moment.hour * 60 + moment.minute
        today, yesterday = moment.weekday(), (moment.weekday() - 1) % 7
        if self.start < self.end:
            return today in self.days and self.start <= minute < self.end
        return (today in self.days and minute >= self.start) or (
            yesterday in self.days and minute < self.end
        )


@dataclass(frozen=True)
class Schedule:
    """Some periods of the week.

    What counts is what a clock on the wall shows: an hour that daylight saving repeats is within
    both times, and one that it skips never comes.
    """

    periods: tuple[Period, ...]
    zone: tzinfo | None = None
    """The system's unless given."""

    def is_active(self, unix_time: float) -> bool:
        """Tell whether a time lies within a period.

        What is no time of day always does: one in a file, or by a clock that was never set. Too
        many events at first are better than none for as long as there is no network.
        """
        if unix_time < FIRST_TIME:
            return True
        moment = datetime.fromtimestamp(unix_time, self.zone)
        return any(period.includes(moment) for period in self.periods)


def parse_period(text: str) -> Period:
    """Read hours, days or both: "22:00-06:00", "sat,sun", "mon-fri 08:00-17:00".

    Raises:
        ValueError: if it is none of these.
    """
    *days, hours = text.lower().split() or [""]
    if not days and hours and not hours[0].isdigit():
        days, hours = [hours], "00:00-24:00"
    match = _HOURS.fullmatch(hours)
    if match is None or len(days) > 1:
        raise ValueError(
            "expected hours, days or both, such as '22:00-06:00', 'sat,sun' and "
            f"'mon-fri 08:00-17:00', got {text!r}"
        )
    start_hour, start_minute, end_hour, end_minute = map(int, match.groups())
    start, end = start_hour * 60 + start_minute, end_hour * 60 + end_minute
    if start == end or end > 24 * 60:
        raise ValueError(f"expected hours with a length, up to 24:00, got {text!r}")
    return Period(text, _parse_days(days[0]) if days else frozenset(range(7)), start, end)


def _parse_days(text: str) -> frozenset[int]:
    """Read "sat,sun", "mon-fri" or "fri-mon"."""
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        for day in (first, last) if dash else (first,):
            if day not in DAYS:
                raise ValueError(f"expected days of {', '.join(DAYS)}, got {day!r}")
        start, end = DAYS.index(first), DAYS.index(last or first)
        found |= {day % 7 for day in range(start, start + (end - start) % 7 + 1)}
    return frozenset(found)


def find_zone(name: str) -> ZoneInfo:
    """Find a time zone such as "Europe/Berlin".

    Raises:
        ValueError: with the nearest match, or if the system knows none at all.
    """
    known = available_timezones()
    if not known:
        raise ValueError("this system has no list of time zones: install tzdata")
    if name not in known:
        near = did_you_mean(name, sorted(known))
        raise ValueError(
            f"no time zone {name!r}"
            + (near if near.startswith(",") else "; expected one such as 'Europe/Berlin'")
        )
    return ZoneInfo(name)
