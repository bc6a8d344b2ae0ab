"""Values that must not be shown: what stands for them in errors, logs and `repr`."""

import json
import re
import sys
import threading
import traceback
from types import TracebackType

SHORT = 4
"""Values of fewer characters are hidden where they are quoted alone: elsewhere they are words."""

_lock = threading.Lock()
_shown: dict[str, str] = {}
"""What is shown instead of each spelling of each value."""
_pattern: re.Pattern[str] | None = None


def hide(value: str, shown: str) -> None:
    """Let `masked` show `shown` in place of a value, from now on and for good."""
    global _pattern
    spellings = {value, repr(value)[1:-1], json.dumps(value)[1:-1]} - {"", shown}
    with _lock:
        for spelling in spellings:
            _shown.setdefault(spelling, shown)
        # The longest first: one value may be a part of another.
        patterns = [_spelled(known) for known in sorted(_shown, key=len, reverse=True)]
        _pattern = re.compile("|".join(patterns)) if patterns else None


def masked(text: str) -> str:
    """Return a text without any value that is hidden."""
    pattern = _pattern
    return pattern.sub(lambda found: _shown[found[0]], text) if pattern else text


def hide_in_tracebacks() -> None:
    """Let a fault that ends the program show no value that is hidden."""

    def show(kind: type[BaseException], fault: BaseException, trace: TracebackType | None) -> None:
        sys.stderr.write(masked("".join(traceback.format_exception(kind, fault, trace))))

    sys.excepthook = show


def _spelled(value: str) -> str:
    if len(value) >= SHORT:
        return re.escape(value)
    return rf"(?:(?<=['\"=])|(?<=got )){re.escape(value)}(?=['\"\s,;)]|$)"
