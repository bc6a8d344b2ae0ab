"""The wall-clock time of a live stream's samples."""

_TOLERANCE = 1.0
_PATIENCE = 10.0


class SampleClock:
    """Notice when a stream's count of samples has run away from the wall clock.

    A crystal that is 50 ppm off gains 4 s a day, an overrun loses samples, and a computer without
    a clock battery is set right by hours some time after it has booted. Sound that merely waited
    somewhere comes late for a moment only: it takes 1 s of error during 10 s of sound to count.
    """

    def __init__(self, sample_rate: int, started_at: float) -> None:
        """Begin a stream.

        Args:
            started_at: Unix time of sample 0 in seconds.
        """
        self.started_at = started_at
        self._sample_rate = sample_rate
        self._off_since: float | None = None

    def error(self, position: int, now: float) -> float:
        """Return the seconds by which `now` is later than the time of sample `position`."""
        return now - self.started_at - position / self._sample_rate

    def has_run_away(self, position: int, now: float) -> bool:
        """Take note that all samples before `position` are here at `now`; tell if time is lost."""
        if abs(self.error(position, now)) < _TOLERANCE:
            self._off_since = None
            return False
        heard = position / self._sample_rate
        if self._off_since is None:
            self._off_since = heard
        return heard - self._off_since >= _PATIENCE
