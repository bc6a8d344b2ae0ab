"""Sound that comes faster or slower than time goes by."""

PERIOD = 5.0
"""Seconds over which the rate is measured."""
PERIODS = 4
"""Periods in a row that must be off to the same side: a burst or a pause is in one or two only."""
TOLERANCE = 0.03
"""Share by which a rate may be off. A crystal is off by 0.0001, 44.1 kHz from 48 kHz by 0.08."""
_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 88200, 96000, 192000)
"""Hertz at which sound is recorded."""
_MEASURED = 0.015
"""Share by which a measured rate may be off."""
LONGEST_LEAD = 10.0
"""Seconds of sound ahead of time within a period that no buffer explains: a recording, perhaps."""


class RateCheck:
    """Compare one stream's samples with the time they take to come.

    A wrong rate is noticed after 20 s, a flood after 10 s of sound.
    """

    def __init__(self, sample_rate: int, now: float) -> None:
        """Begin with the first sample; `now` is monotonic seconds."""
        self._sample_rate = sample_rate
        self._began, self._sound = now, 0
        """Of the period."""
        self._streak = 0
        """Periods in a row that were too fast, or too slow if negative."""
        self.is_steady = False
        """Whether the newest period was as it should be."""
        self.likely_rate: int | None = None
        """Hertz that explain a wrong rate: those of another usual rate, stated wrongly."""

    def feed(self, samples: int, now: float) -> str | None:
        """Take note of so many more samples; return what is wrong, if anything is."""
        self._sound += samples
        period = now - self._began
        if self._sound / self._sample_rate - period > LONGEST_LEAD:
            return f"its sound is {LONGEST_LEAD:.0f} s ahead of time: is it a recording?"
        if period < PERIOD:
            return None
        rate = self._sound / period
        self._take_period(rate / self._sample_rate - 1)
        self._began, self._sound = now, 0
        if abs(self._streak) < PERIODS:
            return None
        self.likely_rate = _likely_rate(rate, self._sample_rate)
        return f"it delivers {rate:.0f} samples a second instead of {self._sample_rate}"

    def _take_period(self, error: float) -> None:
        self.is_steady = abs(error) <= TOLERANCE
        if self.is_steady:
            self._streak = 0
        elif error > 0:
            self._streak = max(self._streak, 0) + 1
        else:
            self._streak = min(self._streak, 0) - 1


def _likely_rate(measured: float, stated: int) -> int | None:
    """Return the rate of sound that is recorded at one usual rate and said to be at another."""
    ratios = {true / false for true in _RATES for false in _RATES if true != false}
    nearest = min(ratios, key=lambda ratio: abs(ratio * stated - measured))
    likely = round(nearest * stated)
    return likely if abs(likely - measured) <= _MEASURED * measured else None
