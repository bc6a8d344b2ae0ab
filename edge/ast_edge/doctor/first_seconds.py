"""The first seconds of a source, as a source that ends."""

import threading
import time
from collections.abc import Iterator

from ast_edge.app.source_config import SourceConfig
from ast_edge.audio.channel_check import ChannelCheck
from ast_edge.audio.level import FLOOR_DBFS, measure
from ast_edge.audio.stream import Block, Monitored, Source
from ast_edge.sources.band_check import BandCheck
from ast_edge.sources.card import CardChannel
from ast_edge.sources.child_source import ChildSource
from ast_edge.sources.sound_quality import SoundQuality
from ast_edge.sources.stream_url import is_rtsp
from ast_edge.sources.url_source import ATTEMPTS, START_TIMEOUT

LISTEN_SECONDS = 3.0
"""Sound that is heard."""
START_SECONDS = 10.0
"""Time that a microphone has to deliver the first of it."""
MOST_FAILURES = 2 * ATTEMPTS + 1
"""Attempts after which a source is given up: each way to ask a camera has been tried by then."""

_ENOUGH_TO_JUDGE = 2.0
"""Seconds of sound from which it is said what it lacks."""


class FirstSeconds:
    """Hear a source for so long that something can be said of it."""

    def __init__(self, source: Source, config: SourceConfig) -> None:
        """Take the source and what it was made of; nothing is started yet."""
        self.name, self._source, self._channel = source.name, source, config.conditioning.channel
        self.seconds = 0.0
        """Sound that was heard."""
        self.peak = FLOOR_DBFS
        self.remark = self.complaint = ""
        """What the sound lacks; why there was none, in the source's own words."""
        self.patience = _patience(config)
        """Seconds for which the first sound is waited for."""
        self._quality = SoundQuality(
            channel=self._channel,
            channels=ChannelCheck(_ENOUGH_TO_JUDGE, periods=1),
            band=BandCheck(_ENOUGH_TO_JUDGE, periods=1),
        )
        self._ended = threading.Event()

    def blocks(self) -> Iterator[Block]:
        """Yield blocks until enough is heard, the time is up, or there is no hope."""
        watch = threading.Thread(target=self._give_up_in_time, daemon=True)
        watch.start()
        try:
            for block in self._source.blocks():
                self._judge(block)
                yield block
                if self.seconds >= LISTEN_SECONDS:
                    return
        finally:
            self._ended.set()
            self._source.close()
            watch.join()

    def close(self) -> None:
        """End early."""
        self._source.close()

    def _judge(self, block: Block) -> None:
        samples, rate = block.samples, block.stream.sample_rate
        self.seconds += len(samples) / rate
        heard = samples if self._channel is None else samples[:, self._channel - 1]
        self.peak = max(self.peak, measure(heard).peak)
        if not isinstance(self._source, Monitored):  # which knows better than its blocks tell
            self._quality.know_rate(rate)
        self.remark = self._quality.feed(samples, rate).reason
        if isinstance(self._source, Monitored) and self._source.health.reason:
            self.remark = self._source.health.reason

    def _give_up_in_time(self) -> None:
        end = time.monotonic() + self.patience + LISTEN_SECONDS
        while not self._ended.wait(0.1):
            source = self._source
            if isinstance(source, Monitored) and not self.seconds:
                self.complaint = source.health.reason
            hopeless = (
                isinstance(source, ChildSource | CardChannel) and source.failures >= MOST_FAILURES
            )
            if time.monotonic() >= end or hopeless:
                source.close()
                return


def _patience(config: SourceConfig) -> float:
    """Return the seconds within which the first sound may come, whatever has to be tried for it."""
    if config.url is None:
        return max(START_SECONDS, 2 * config.stall_timeout)
    once = max(START_TIMEOUT, config.stall_timeout)
    url = config.url.get_secret_value()
    return once * (ATTEMPTS + 1 if is_rtsp(url) and config.rtsp_media is None else 1) + 5.0
