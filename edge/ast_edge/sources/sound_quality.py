"""Everything that is judged of a source's samples."""

import numpy as np
from numpy.typing import NDArray

from ast_edge.audio.channel_check import ChannelCheck
from ast_edge.audio.health import OK, Health
from ast_edge.audio.sound_check import MUTED_SECONDS, SoundCheck
from ast_edge.sources.band_check import BandCheck


class SoundQuality:
    """Says what is wrong with sound, else what it lacks, through all streams of a source."""

    def __init__(
        self,
        muted_seconds: float = MUTED_SECONDS,
        channel: int | None = None,
        *,
        judges_channels: bool = True,
        channels: ChannelCheck | None = None,
        band: BandCheck | None = None,
    ) -> None:
        """Take when sound without change is muted (0: never), and the only channel, from 1.

        Args:
            judges_channels: whether the mean of several channels is what is heard.
            channels: compares channels, if not as usual.
            band: measures the band, if not as usual.
        """
        self._channel, self._judges_channels = channel, judges_channels
        self._sound = SoundCheck(muted_seconds, channel)
        self._channels, self._band = channels or ChannelCheck(), band or BandCheck()

    @property
    def unchanged_seconds(self) -> float:
        """Seconds of sound since a sample differed from the one before."""
        return self._sound.unchanged_seconds

    def know_rate(self, sample_rate: int | None) -> None:
        """Take the hertz of the sound before anybody converted it; None if nobody says."""
        self._band.know(sample_rate)

    def feed(self, samples: NDArray[np.float32], sample_rate: int) -> Health:
        """Take the next samples (n, channels) and say how they are now."""
        health = self._sound.feed(samples, sample_rate)
        if self._channel is not None:
            said, mono = "", samples[:, self._channel - 1]
        else:
            said, mono = "", samples.mean(axis=1)
            if self._judges_channels:
                said = self._channels.feed(samples, sample_rate)
        band = self._band.feed(mono, sample_rate)
        if health is not OK or not (said or band):
            return health
        return Health("ok", "; ".join(filter(None, (said, band))))
