"""The values that leave the pipeline: labels and the events found for them."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from ast_edge.transliteration import to_latin

Phase = Literal["start", "update", "end"]


@dataclass(frozen=True)
class Label:
    """One thing a model can hear."""

    index: int
    """Column in the model's output."""
    name: str
    """Display name, AudioSet's where it has one: "Baby cry, infant cry"."""
    mid: str
    """AudioSet machine id such as "/t/dd00002"; empty for a label that AudioSet lacks."""

    @cached_property
    def slug(self) -> str:
        """The name as a topic level: lower case, `[a-z0-9_]` only."""
        return slugify(self.name)


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

    @property
    def duration(self) -> float:
        """Seconds from onset to offset."""
        return self.offset - self.onset


def slugify(name: str) -> str:
    """Return `name` in Latin letters, lower case, each run of other characters as one underscore.

    Empty for a name without a letter or digit.
    """
    plain = to_latin(name).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", plain).strip("_")
