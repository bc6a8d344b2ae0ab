"""How the scores of one label become events."""

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class TrackerSettings:
    """How the scores of one label become events."""

    on: float = 0.5
    """There is an event when the probability reaches this."""
    off: float = 0.3
    """It lasts from when the probability rose above this to when it fell below it."""
    min_duration: float = 0.0
    """Seconds; shorter events are not reported, longer ones that much later."""
    hold: float = 1.0
    """Seconds below `off` that do not end an event."""
    cooldown: float = 0.0
    """Seconds after an event in which no other of the label starts."""

    def __post_init__(self) -> None:
        if not 0 <= self.off <= self.on <= 1:
            raise ValueError(f"expected 0 <= off <= on <= 1, got on {self.on} and off {self.off}")
        if not all(0 <= s < np.inf for s in (self.min_duration, self.hold, self.cooldown)):
            raise ValueError(f"durations must not be negative or infinite: {self}")


def override(settings: TrackerSettings, **changes: float | None) -> TrackerSettings:
    """Replace those settings that are given; `off` follows an `on` that falls below it."""
    given = {key: value for key, value in changes.items() if value is not None}
    if "on" in given and "off" not in given:
        given["off"] = min(settings.off, given["on"])
    return replace(settings, **given)
