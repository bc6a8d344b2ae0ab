"""Which events one label would have had with other thresholds."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ast_edge.detection.event import Event
from ast_edge.detection.tracker import EventTracker
from ast_edge.evaluation.curve import Curve
from ast_edge.model.label import Label
from ast_edge.model.label_settings import TrackerSettings

# fmt: off
GRID = (
    *(0.999, 0.998, 0.997, 0.995, 0.993, 0.99),
    *(round(0.98 - 0.01 * number, 2) for number in range(94)),
)
"""Values of `on` that are tried, from the highest on: 0.999 to 0.05."""
# fmt: on


def find_events(curve: Curve, label: Label, settings: TrackerSettings) -> list[Event]:
    """Return the finished events (phase `end`) that a tracker makes of a recording's scores.

    It is fed those steps only that can matter to it: those around a score of `on` that are at or
    above `off`, and those after them as long as an event may be held.
    """
    tracker = EventTracker("", {label: settings}, lambda: "")
    events: list[Event] = []
    for number in np.flatnonzero(_matters(curve, label, settings)).tolist():
        events += tracker.feed(curve.step(number))
    return [event for event in events + tracker.finish() if event.phase == "end"]


def _matters(curve: Curve, label: Label, settings: TrackerSettings) -> NDArray[np.bool_]:
    scores = curve.scores[:, label.index].astype(np.float64)  # which is what a tracker compares
    high = scores >= settings.off
    last = np.flatnonzero(high & ~np.append(high[1:], False))
    # One step more than `hold`, which ends the event; a millisecond for rounding.
    until = np.searchsorted(curve.offsets, curve.offsets[last] + settings.hold + 0.001, "right")
    edges = np.zeros(len(high) + 2, np.int64)
    np.add.at(edges, last, 1)
    np.add.at(edges, np.minimum(until, len(high)) + 1, -1)
    held = high | (edges.cumsum()[: len(high)] > 0)
    stretch = (held & ~np.append(False, held[:-1])).cumsum()
    reaches_on = np.bincount(stretch[scores >= settings.on], minlength=len(high) + 1) > 0
    matters: NDArray[np.bool_] = held & reaches_on[stretch]
    return matters


@dataclass(frozen=True, eq=False)
class Alarms:
    """The events of one label in recordings without it, with one of the settings."""

    on: float
    pieces: NDArray[np.int64]
    """(events,) in which piece of the negatives each begins; see `Pieces`."""
    peaks: NDArray[np.float64]
    """(events,) probabilities."""
