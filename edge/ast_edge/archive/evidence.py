"""What of a stretch events are made of: the few scores that reach a threshold, and when."""

import io
import math
import zipfile
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ast_edge.archive.errors import ArchiveError
from ast_edge.detection.event import Event
from ast_edge.detection.hearing import Hearing
from ast_edge.detection.rules import Rules
from ast_edge.detection.tracker import EventTracker, Step


class Evidence:
    """Collects the steps of one stretch that matter.

    To a tracker and to rules a score below every `off` is as good as 0. Of steps that show nothing
    they need the last one before the next that shows something: by then is over whatever a step
    before it would have ended. So what is kept is small, and events are those of all steps.
    """

    def __init__(self, hearing: Hearing) -> None:
        """Keep what the hearing's labels, groups and rules ask for."""
        self._off = _lowest(hearing)
        self._steps: list[tuple[float, float, float]] = []
        self._counts: list[int] = []
        self._columns: list[NDArray[np.int64]] = []
        self._scores: list[NDArray[np.float32]] = []
        self._empty: Step | None = None

    def take(self, steps: Iterable[Step]) -> None:
        """Take the next steps, in order."""
        for step in steps:
            shown = (~(step.probabilities < self._off)).nonzero()[0]
            if not len(shown):
                self._empty = step
                continue
            self._put_empty()
            self._put(step, shown)

    def pack(self) -> bytes:
        """Return it in a form for the disk and for other processes."""
        self._put_empty()
        file = io.BytesIO()
        np.savez_compressed(
            file,
            steps=np.array(self._steps, np.float64).reshape(-1, 3),
            counts=np.array(self._counts, np.int64),
            columns=_joined(self._columns, np.int32),
            scores=_joined(self._scores, np.float32),
        )
        return file.getvalue()

    def _put_empty(self) -> None:
        if self._empty is not None:
            self._put(self._empty, np.zeros(0, np.int64))
            self._empty = None

    def _put(self, step: Step, shown: NDArray[np.int64]) -> None:
        self._steps.append((step.onset, step.offset, step.now))
        self._counts.append(len(shown))
        self._columns.append(shown)
        self._scores.append(step.probabilities[shown])


def find_events(hearing: Hearing, name: str, packed: Sequence[bytes]) -> list[Event]:
    """Return the events of a recording, of which these are all stretches in order.

    They are in the order of their onsets. Their `score` is none: it is that of a step that ends
    them, which may not have been kept.

    Raises:
        ArchiveError: what is packed is damaged.
    """
    settings, bundle = hearing.settings, hearing.bundle
    rules = Rules(hearing.rules, {**bundle.settings, **settings})
    tracker = EventTracker(name, settings, lambda: "", bundle.name)
    tracker.begin(0.0)
    columns = len(_lowest(hearing))
    events: list[Event] = []
    for one in packed:
        for step in _unpack(one, columns):
            events += tracker.feed(step, barred=rules.feed(step))
    events += tracker.finish()
    ends = [event for event in events if event.phase == "end"]
    return sorted(ends, key=lambda event: (event.onset, event.offset, event.label.index))


def _lowest(hearing: Hearing) -> NDArray[np.float64]:
    """Return below what no score matters, of every column (labels + groups,)."""
    bundle, settings = hearing.bundle, hearing.settings
    known = {**bundle.settings, **settings}
    off = np.full(max(label.index for label in known) + 1, math.inf)
    suppressors = {label for rule in hearing.rules.values() for label in rule.suppress_while}
    for label in {*settings, *suppressors}:
        off[label.index] = min(off[label.index], known[label].off)
    return off


def _unpack(packed: bytes, columns: int) -> Iterator[Step]:
    try:
        with np.load(io.BytesIO(packed), allow_pickle=False) as file:
            steps, counts = file["steps"], file["counts"]
            shown, scores = file["columns"], file["scores"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as exc:
        raise ArchiveError(f"what is known of a stretch is damaged: {exc}") from exc
    end = 0
    for (onset, offset, now), count in zip(steps.tolist(), counts.tolist(), strict=True):
        start, end = end, end + count
        probabilities = np.zeros(columns, np.float32)
        probabilities[shown[start:end]] = scores[start:end]
        yield Step(onset, offset, now, probabilities)


def _joined(parts: Sequence[NDArray[np.generic]], kind: type[np.generic]) -> NDArray[np.generic]:
    return np.concatenate([np.zeros(0, kind), *parts]).astype(kind)
