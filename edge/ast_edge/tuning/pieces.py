"""Negatives in pieces that know nothing of each other."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FOLDS = 5
ROOMS = 8
"""With fewer rooms than these nothing can be said of others: their hours are cut instead."""
STRETCHES = 40
"""Into so many all hours together are cut."""


@dataclass(frozen=True, eq=False)
class Pieces:
    """Rooms, or stretches of the hours of a few."""

    starts: tuple[NDArray[np.float64], ...]
    """Of every recording, the seconds from which on each of its pieces lasts."""
    numbers: tuple[NDArray[np.int64], ...]
    """Of every recording, which pieces these are."""
    seconds: NDArray[np.float64]
    """(pieces,) length of each."""
    rooms: int

    @property
    def hours(self) -> float:
        """Of all together."""
        return float(self.seconds.sum()) / 3600

    @property
    def are_rooms(self) -> bool:
        """Whether pieces are rooms, so that what holds for them holds for others."""
        return self.rooms >= ROOMS

    @property
    def folds(self) -> NDArray[np.int64]:
        """(pieces,) in which of `FOLDS` parts of about as many hours each piece is."""
        middles = self.seconds.cumsum() - self.seconds / 2
        places = middles * FOLDS / max(float(self.seconds.sum()), 1e-9)
        return np.array(np.minimum(places, FOLDS - 1), np.int64)

    def find(self, recording: NDArray[np.int64], onsets: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the pieces of events that begin there (seconds of their recordings)."""
        found = np.zeros(len(onsets), np.int64)
        for one in np.unique(recording):
            these = recording == one
            place = np.searchsorted(self.starts[one], onsets[these], "right") - 1
            found[these] = self.numbers[one][place.clip(0)]
        return found


def cut(seconds: Sequence[float], rooms: Sequence[str]) -> Pieces:
    """Divide recordings of these lengths: by their rooms, or by time if those are few."""
    known = {room: number for number, room in enumerate(dict.fromkeys(rooms))}
    if len(known) >= ROOMS:
        numbers = tuple(np.array([known[room]]) for room in rooms)
        lengths = np.zeros(len(known))
        np.add.at(lengths, [known[room] for room in rooms], seconds)
        return Pieces((np.zeros(1),) * len(rooms), numbers, lengths, len(known))
    longest = max(sum(seconds) / STRETCHES, 1e-9)
    counts = [max(1, round(length / longest)) for length in seconds]
    firsts = itertools.accumulate(counts, initial=0)
    return Pieces(
        starts=tuple(
            np.arange(count) * length / count for count, length in zip(counts, seconds, strict=True)
        ),
        numbers=tuple(
            first + np.arange(count) for first, count in zip(firsts, counts, strict=False)
        ),
        seconds=np.repeat(np.array(seconds) / np.array(counts), counts),
        rooms=len(known),
    )
