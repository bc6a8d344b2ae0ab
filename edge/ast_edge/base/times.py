"""Moments as text."""

from datetime import datetime, timezone


def iso8601(unix_time: float) -> str:
    """Return `unix_time` (seconds) as "2026-03-01T06:30:00.250Z"."""
    moment = datetime.fromtimestamp(round(unix_time, 3), timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
