"""What is heard in one stretch of a recording."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from ast_edge.archive.evidence import Evidence
from ast_edge.archive.fingerprint import Fingerprint
from ast_edge.archive.job import LEAD_SECONDS, Job, Stretch
from ast_edge.archive.reading import Reading
from ast_edge.detection.steps import Steps
from ast_edge.engines.engine import Engine, Scores
from ast_edge.frontend.listener import Listener, Window

BATCH = 16
"""Windows that are scored at once."""


@dataclass(frozen=True, eq=False)
class Heard:
    """What a stretch gives, as it travels between processes."""

    number: int
    last: bool
    """Whether the recording ends in it."""
    seconds: float
    """How much of the recording is known by now."""
    stretches: int | None
    """How many the recording has, where each can be read for itself."""
    fingerprint: Fingerprint
    sample_rate: int
    channels: int
    damage: str | None
    """What keeps the recording from going on."""
    best: NDArray[np.float32]
    """(labels,) highest probabilities of its windows."""
    evidence: bytes
    """See `Evidence`; nothing unless events are asked for."""
    times: NDArray[np.float64]
    """(windows, 2) seconds from where to where each window holds sound, where it matters."""
    scores: NDArray[np.float32]
    """(windows, labels), if asked for."""
    embeddings: NDArray[np.float32]
    """(windows, width), if asked for."""


class Ear:
    """Hears stretches of recordings; what one gives depends on nothing that was heard before.

    A stretch begins to listen early enough that its first window is full, that the resampler and
    the high-pass have settled, and that what its first window makes certain was shown by all
    windows that a reading from the start would have had.
    """

    def __init__(self, job: Job, engine: Engine) -> None:
        """Listen for a job by its engine."""
        self._job, self._engine = job, engine
        self._bundle = job.bundle
        self._frames = self._bundle.frames
        latency = math.ceil(job.hearing.latency * job.frames_per_second)
        self._looks_back = min(latency, self._frames) + job.hop if job.events else 0
        """Frames before a stretch in which windows end that have to be scored for it."""

    def begins(self, stretch: Stretch) -> int:
        """Return the second of the recording from which a stretch listens."""
        rate = self._job.frames_per_second
        before = (self._looks_back + self._frames) / rate + LEAD_SECONDS
        grid = self._job.grid
        return max(0, math.floor((stretch.start - before) / grid) * grid)

    def hear(self, reading: Reading, stretch: Stretch) -> Heard:
        """Hear a stretch of an open recording.

        Raises:
            AudioError: it cannot be read, or is written by another program meanwhile.
        """
        listening = _Listening(
            self._job, self._engine, stretch, self.begins(stretch), self._looks_back
        )
        listening.run(reading)
        reading.check()
        known, ended = reading.seconds, listening.ended
        return Heard(
            number=stretch.number,
            last=ended,
            seconds=reading.read_seconds if ended else float(stretch.end),
            stretches=None if known is None else self._job.stretches_in(known),
            fingerprint=reading.fingerprint,
            sample_rate=reading.sample_rate,
            channels=reading.channels,
            damage=reading.damage if ended else None,
            best=listening.best,
            evidence=listening.evidence.pack() if self._job.events else b"",
            times=np.array(listening.times).reshape(-1, 2),
            scores=_stacked(listening.scores),
            embeddings=_stacked(listening.embeddings),
        )


def _stacked(rows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    return np.stack(rows) if rows else np.zeros((0, 0), np.float32)


class _Listening:
    """One stretch while it is listened to."""

    def __init__(
        self, job: Job, engine: Engine, stretch: Stretch, begins: int, looks_back: int
    ) -> None:
        self._job, self._engine = job, engine
        self._begins, self._looks_back = begins, looks_back
        self._frames_before = round(begins * job.frames_per_second)
        self._spec, self._bundle = job.bundle.fbank, job.bundle
        self._first = round(stretch.start * job.frames_per_second)
        self._last = round(stretch.end * job.frames_per_second)
        """Its windows end after the one frame of the recording, and up to the other."""
        self.ended = False
        self._listener = Listener(job.listening)
        self._steps = Steps(job.bundle, job.hearing.settings, job.hearing.latency)
        self.evidence = Evidence(job.hearing)
        self.best = np.zeros(len(job.bundle.labels), np.float32)
        self.times: list[tuple[float, float]] = []
        self.scores: list[NDArray[np.float32]] = []
        self.embeddings: list[NDArray[np.float32]] = []

    def run(self, reading: Reading) -> None:
        """Score all windows that matter."""
        due = self._windows(reading)
        while batch := list(islice(due, BATCH)):
            self._take(batch, self._engine.run(np.stack([window.fbank for _, window in batch])))
        if self.ended and self._job.events:
            self.evidence.take(self._steps.flush())

    def _windows(self, reading: Reading) -> Iterator[tuple[bool, Window]]:
        """Yield the windows to score, and whether they are the stretch's own."""
        for block in reading.blocks(self._begins):
            for window in self._listener.feed(block):
                yield from self._placed(window)
                if self._end(window) >= self._last:
                    return
        self.ended = True
        for window in self._rest():
            yield from self._placed(window)

    def _rest(self) -> list[Window]:
        """Return the windows that the end of the recording completes."""
        if not self._job.events:
            return self._listener.flush()
        rest, latency = self._listener.slide_out(), self._job.hearing.latency
        if self._bundle.frame == "none":
            return rest
        # Those that follow would only show what has been released.
        return [w for w in rest if w.end - w.hop < w.heard + latency]

    def _placed(self, window: Window) -> Iterator[tuple[bool, Window]]:
        end = self._end(window)
        own = end > self._first
        if own or end >= self._first - self._looks_back:
            yield own, window

    def _end(self, window: Window) -> int:
        """Return how many frames of the recording there are up to the end of a window."""
        spec = self._spec
        samples = round(window.end * spec.sample_rate) - spec.frame_length
        return self._frames_before + samples // spec.frame_shift + 1

    def _take(self, batch: list[tuple[bool, Window]], scores: Scores) -> None:
        for row, ((own, window), (clip, frame)) in enumerate(
            zip(batch, scores.each(), strict=True)
        ):
            if self._job.events:
                steps = list(self._steps.feed(window, clip, frame))
                if own:
                    self.evidence.take(steps)
            # What slides out is no sound of the recording.
            if not own or window.end > window.heard:
                continue
            self.best = np.maximum(self.best, clip)
            if self._job.scores or self._job.embeddings:
                times = max(0.0, window.start) + self._begins, window.end + self._begins
                self.times.append((round(times[0], 3), round(times[1], 3)))
            if self._job.scores:
                self.scores.append(clip.copy())
            if self._job.embeddings:
                assert scores.embedding is not None
                self.embeddings.append(scores.embedding[row].astype(np.float32))
