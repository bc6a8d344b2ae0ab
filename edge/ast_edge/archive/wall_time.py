"""When a recording was made: by what its name or a file beside it says."""

import json
import re
from collections.abc import Callable
from datetime import datetime, timezone, tzinfo
from pathlib import Path

_NAME = re.compile(
    r"(?<!\d)(?P<year>(?:19|20)\d\d)[-_.]?(?P<month>[01]\d)[-_.]?(?P<day>[0-3]\d)"
    r"[-_T ]{1,2}"
    r"(?P<hour>[0-2]\d)[-_.:]?(?P<minute>[0-5]\d)[-_.:]?(?P<second>[0-5]\d)"
    r"(?:[.,](?P<part>\d{1,6})(?=\D))?"
    r"(?P<zone>Z|[+-](?:0\d|1[0-4]):?(?:00|15|30|45))?(?!\d)"
)
_HEXADECIMAL = re.compile(r"[0-9A-F]{8}")
"""Unix time, as the first AudioMoths name their recordings."""
_KEYS = ("started_at", "recorded_at", "start")
_MOST_BYTES = 1 << 20


def started_at(name: str, zone: tzinfo, read: Callable[[str, int], bytes | None]) -> float | None:
    """Return the Unix time of a recording's first sample; None if nothing tells it.

    A file beside it, of its name with ".json" behind or instead of the ending, goes before the
    name. A time without a zone is in `zone`.

    Args:
        name: the recording's path or address.
        zone: of times that do not tell theirs.
        read: returns what a file holds; None if there is none of at most so many bytes.
    """
    folder, slash, own = name.rpartition("/")
    for beside in (own, own.rpartition(".")[0] or own):
        content = read(f"{folder}{slash}{beside}.json", _MOST_BYTES)
        if content is not None and (found := _in_tree(content, zone)) is not None:
            return found
    return _in_name(own, zone)


def read_local(name: str, most: int) -> bytes | None:
    """Return what a file of this machine holds; None if it is away or larger than so many bytes."""
    path = Path(name)
    try:
        return path.read_bytes() if path.is_file() and path.stat().st_size <= most else None
    except OSError:
        return None


def _in_name(name: str, zone: tzinfo) -> float | None:
    if match := _NAME.search(name):
        part = f".{match['part']}" if match["part"] else ""
        clock = f"{match['hour']}:{match['minute']}:{match['second']}{part.ljust(7, '0')[:7]}"
        day = f"{match['year']}-{match['month']}-{match['day']}"
        text = f"{day}T{clock if part else clock[:8]}{match['zone'] or ''}"
        return _read(text, zone)
    stem = name.partition(".")[0]
    if _HEXADECIMAL.fullmatch(stem) and not stem.isdecimal():
        return _sensible(float(int(stem, 16)))
    return None


def _in_tree(content: bytes, zone: tzinfo) -> float | None:
    try:
        tree = json.loads(content)
    except (ValueError, RecursionError):
        return None
    for key in _KEYS if isinstance(tree, dict) else ():
        value = tree.get(key)
        if isinstance(value, str) and (found := _read(value, zone)) is not None:
            return found
        if isinstance(value, int | float) and not isinstance(value, bool):
            return _sensible(float(value))
    return None


def _read(text: str, zone: tzinfo) -> float | None:
    # Python 3.10 knows neither Z nor a zone without a colon.
    text = re.sub(r"([+-]\d\d)(\d\d)$", r"\1:\2", text.strip().replace("Z", "+00:00"))
    try:
        moment = datetime.fromisoformat(text)
        return _sensible((moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp())
    except (ValueError, OverflowError):
        return None


def _sensible(unix_time: float) -> float | None:
    """Return a time that a recording may have."""
    latest = datetime(2200, 1, 1, tzinfo=timezone.utc).timestamp()
    return unix_time if 0 < unix_time < latest else None
