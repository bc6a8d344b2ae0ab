"""The values that leave the pipeline: events."""

from dataclasses import dataclass
from typing import Literal

from ast_edge.model.label import Label

Phase = Literal["start", "update", "end"]


@dataclass(frozen=True)
class Event:
    """A snapshot in the life of one sound event.

    An event is published as `start`, any number of `update`s while it grows louder or goes on, and
    `end`, all with the same `id`.
    """

    id: str
    phase: Phase
    source: str
    label: Label
    onset: float
    """Unix time in seconds (seconds of the file in a replay)."""
    offset: float
    """End of the sound as far as it is known in this phase; final when the phase is `end`."""
    score: float
    """The label's probability in the newest window."""
    peak: float
    """Its highest probability so far."""
    bundle: str
    """Name of the bundle that heard it."""

    @property
    def duration(self) -> float:
        """Seconds from onset to offset."""
        return self.offset - self.onset
