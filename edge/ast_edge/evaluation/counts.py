"""Right and wrong answers, and what is made of them."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Counts:
    """How many detections are right, how many are not, and what was missed."""

    hits: int = 0
    false: int = 0
    missed: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.hits + other.hits, self.false + other.false, self.missed + other.missed)

    @property
    def references(self) -> int:
        """What there was to be detected."""
        return self.hits + self.missed

    @property
    def precision(self) -> float | None:
        """Share of the detections that are right; None if there are none."""
        return self.hits / (self.hits + self.false) if self.hits + self.false else None

    @property
    def recall(self) -> float | None:
        """Share of the references that were detected; None if there are none."""
        return self.hits / self.references if self.references else None

    @property
    def f1(self) -> float | None:
        """Harmonic mean of the two; 0 if all is wrong, None without references and detections."""
        total = 2 * self.hits + self.false + self.missed
        return 2 * self.hits / total if total else None


def micro(counts: Iterable[Counts]) -> Counts:
    """Add the counts of all labels: every event weighs the same."""
    return sum(counts, Counts())


def macro_f1(counts: Iterable[Counts]) -> float | None:
    """Average the F1 of the labels that have references: every label weighs the same."""
    scores = [one.f1 or 0.0 for one in counts if one.references]
    return sum(scores) / len(scores) if scores else None
