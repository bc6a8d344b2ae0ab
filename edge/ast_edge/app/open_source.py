"""From a source's configuration to the source."""

import time

from ast_edge.app.source_config import SourceConfig
from ast_edge.audio.stream import Source
from ast_edge.sources.card import CardChannel, CardSettings
from ast_edge.sources.microphone import MicrophoneSource
from ast_edge.sources.pcm import PcmFormat, PcmSource
from ast_edge.sources.recording import RecordingSource
from ast_edge.sources.url_source import UrlSource

_STDIN = 0


def open_source(name: str, config: SourceConfig) -> Source:
    """Return the source that `config` describes; it starts when its blocks are asked for."""
    if config.microphone is not None and config.channel is not None:
        card = CardSettings(
            config.microphone,
            config.sample_rate,
            config.channels,
            config.true_rate,
            config.stall_timeout,
        )
        return CardChannel(name, card, config.channel, config.muted_after)
    if config.microphone is not None:
        return MicrophoneSource(
            name,
            config.microphone,
            sample_rate=config.sample_rate,
            channels=config.channels,
            stall_timeout=config.stall_timeout,
            muted_seconds=config.muted_after,
            true_rate=config.true_rate,
        )
    if config.url is not None:
        return UrlSource(
            name,
            config.url.get_secret_value(),
            sample_rate=config.sample_rate or 16000,
            channel=config.channel,
            stall_timeout=config.stall_timeout,
            muted_seconds=config.muted_after,
            true_rate=config.true_rate,
            media=config.rtsp_media,
            transport=config.rtsp_transport or "tcp",
        )
    if config.file is not None:
        # What plays in real time begins when it is played, not when it is prepared.
        began = time.time() if config.pace == "fast" else None
        return RecordingSource(name, config.file, config.pace, began, channel=config.channel)
    assert config.stdin is not None  # the configuration has exactly one of the four
    pcm = PcmFormat(config.stdin, config.sample_rate or 16000, config.channels or 1)
    return PcmSource(name, _STDIN, pcm, live=config.pace == "realtime")
