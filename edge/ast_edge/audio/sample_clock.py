"""The wall-clock time of a live stream's samples."""

_TOLERANCE = 1.0
PATIENCE = 10.0
"""Seconds of sound for which it must be wrong."""


class SampleClock:
    """Notice when a stream's count of samples has run away from the wall clock.

    A crystal that is 50 ppm off gains 4 s a day, an overrun loses samples, and a computer without
    a clock battery is set right by hours some time after it has booted. Sound that merely waited
    somewhere comes late for a moment only: it takes 1 s of error during 10 s of sound to count.
    """

    def __init__(self, sample_rate: int, started_at: float, patience: float = PATIENCE) -> None:
        """Begin a stream.

        Args:
            started_at: Unix time of sample 0 in seconds.
            patience: seconds of sound that count in place of 10.
        """
        self.started_at = started_at
        self._sample_rate = sample_rate
        self._patience = patience
        self._off_since: float | None = None

    def error(self, position: int, now: float) -> float:
        """Return the seconds by which `now` is later than the time of sample `position`."""
        return now - self.started_at - position / self._sample_rate

    def complaint(self, position: int, now: float) -> str:
        """Say by how much it is wrong."""
        error = self.error(position, now)
        return f"its time is {abs(error):.1f} s off, a lasting {'delay' if error > 0 else 'lead'}"

    def excuse(self) -> None:
        """Forget what was wrong: more sound has waited somewhere than was thought."""
        self._off_since = None

    def has_run_away(self, position: int, now: float) -> bool:
        """Take note that all samples before `position` are here at `now`; tell if time is lost."""
        if abs(self.error(position, now)) < _TOLERANCE:
            self._off_since = None
            return False
        heard = position / self._sample_rate
        if self._off_since is None:
            self._off_since = heard
        return heard - self._off_since >= self._patience
