"""How many false alarms somebody can live with."""

import re

HOURS = {
    "h": 1.0,
    "hour": 1.0,
    "d": 24.0,
    "day": 24.0,
    "w": 168.0,
    "week": 168.0,
    "month": 730.5,
    "year": 8766.0,
}


def parse_wish(text: str) -> float:
    """Read "1 per week", "0.1/h" or "2 a day", as false alarms per hour.

    Raises:
        ValueError: for anything else, and for none at all, which nobody can promise.
    """
    found = re.fullmatch(r"([0-9.]+) *(?:/|per |an? )? *([a-z]+)", text.strip().lower())
    if found is not None and found[2] in HOURS and re.fullmatch(r"\d*\.?\d+|\d+\.", found[1]):
        per_hour = float(found[1]) / HOURS[found[2]]
        if per_hour > 0:
            return per_hour
    raise ValueError(f"expected something like '1 per week', '2 a day' or '0.1/h', got {text!r}")


def write_rate(per_hour: float) -> str:
    """Write a rate in the unit that suits it: "0.5 an hour", "2.4 a day", "1 a week"."""
    units = {"an hour": 1.0, "a day": 24.0, "a week": 168.0, "a year": 8766.0}
    unit = next((one for one, hours in units.items() if per_hour * hours >= 0.995), "a year")
    number = per_hour * units[unit]
    return f"{number:.0f} {unit}" if number >= 10 else f"{number:.2g} {unit}"
