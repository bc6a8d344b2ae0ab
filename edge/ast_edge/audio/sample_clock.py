"""The wall-clock time of a live stream's samples."""

import math

from ast_edge.audio.timeline import Anchor

LOST = 0.5
"""Seconds by which a stream's time must be wrong for sound to be lost, or the clock to be set."""
PATIENCE = 10.0
"""Seconds of sound for which it must be wrong."""
PERIOD = 10.0
"""Seconds of sound after which its time is corrected."""
SETTLING = 20.0
"""Seconds in which a correction would be complete."""
STEEPEST = 0.0025
"""Seconds by which a second of sound may be made longer or shorter."""


class SampleClock:
    """Tell when the samples of a stream were, by when they arrive.

    A crystal that is 50 ppm off gains 4 s a day. So time follows the clock: of a period, the block
    that came soonest tells by how much time is wrong, and until the next period a second of sound
    is taken to be longer or shorter by a twentieth of that, 0.25 % at most. Of a crystal that is
    off by 200 ppm, 4 ms remain. Only sound that had to be waited for tells the time: what comes at
    once has waited somewhere. That a block came late tells nothing, for others came sooner.

    What is off by half a second is no drift, which never gets there: samples are lost, or the clock
    was set. Sound that was only held up is on time again in a while, so it takes 10 s of sound to
    count; then the stream is over.
    """

    def __init__(
        self,
        sample_rate: int,
        started_at: float,
        *,
        flowing: tuple[float, float] = (math.inf, math.inf),
    ) -> None:
        """Begin a stream.

        Args:
            started_at: Unix time of sample 0 in seconds.
            flowing: so wrong a time, in seconds, counts already after so many seconds of sound that
                all had to be waited for, where nothing comes late and makes up for it.
        """
        self._sample_rate = sample_rate
        self._anchor = Anchor(0.0, started_at)
        self._samples = 0
        self._lasting = _Doubt(LOST, PATIENCE)
        self._flowing = _Doubt(*flowing)
        self._period_end = PERIOD
        self._least: float | None = None
        """The lowest error in this period of what is not lost."""
        self.error = 0.0
        """Seconds by which the newest sound that was waited for came later than its time."""

    def feed(self, samples: int, now: float, *, was_waited_for: bool = True) -> Anchor | None:
        """Take it that so many more samples are here at `now`, and return when they were.

        None if the time is lost, and with it what the stream was.
        """
        anchor = self._anchor
        self._samples += samples
        end = self._samples / self._sample_rate
        if not was_waited_for:
            self._flowing.excuse()
        else:
            self.error = error = now - anchor.time_at(end)
            if abs(error) < LOST:
                self._least = error if self._least is None else min(self._least, error)
            # Both, for each has a memory.
            if any([doubt.feed(error, end) for doubt in (self._lasting, self._flowing)]):
                return None
        if end >= self._period_end:
            self._correct(end)
        return anchor

    @property
    def complaint(self) -> str:
        """Say by how much the time is wrong."""
        direction = "delay" if self.error > 0 else "lead"
        return f"its time is {abs(self.error):.1f} s off, a lasting {direction}"

    def _correct(self, end: float) -> None:
        """Let what follows last a little longer or shorter, if it is known how much."""
        correction = (self._least or 0.0) / SETTLING
        pace = 1 + max(-STEEPEST, min(correction, STEEPEST))
        self._anchor = Anchor(end, self._anchor.time_at(end), pace)
        self._period_end, self._least = end + PERIOD, None


class _Doubt:
    """A time that is wrong, perhaps for a moment only."""

    def __init__(self, tolerance: float, patience: float) -> None:
        """Take the seconds that are wrong, and the seconds of sound for which they must be."""
        self._tolerance, self._patience = tolerance, patience
        self._since: float | None = None

    def feed(self, error: float, second: float) -> bool:
        """Take by how much the time of a moment is wrong; tell if it has been for long."""
        if abs(error) < self._tolerance:
            self._since = None
            return False
        if self._since is None:
            self._since = second
        return second - self._since >= self._patience

    def excuse(self) -> None:
        """Forget what was wrong: more sound has waited somewhere than was thought."""
        self._since = None
