"""Live streams by URL as a source, through ffmpeg."""

import logging
from collections.abc import Generator
from contextlib import closing
from functools import partial
from typing import Literal
from urllib.parse import urlsplit

from ast_edge.audio.ffmpeg import find_ffmpeg, libavformat
from ast_edge.audio.sound_check import MUTED_SECONDS
from ast_edge.audio.stream import Block
from ast_edge.base.errors import AudioError
from ast_edge.sources.child import ChildError
from ast_edge.sources.child_source import ChildSource, Unfit
from ast_edge.sources.ffmpeg_notices import OPTIONS, FfmpegNotices
from ast_edge.sources.pcm import PcmFormat
from ast_edge.sources.stream_url import is_rtsp, secrets_of, shown_url, with_lower_scheme

_log = logging.getLogger(__name__)

Media = Literal["audio", "all"]
Transport = Literal["tcp", "udp"]

START_TIMEOUT = 20.0
"""Seconds until a stream must have begun: a camera may sleep, and ffmpeg looks what comes first."""

BACKLOG_SECONDS = 300.0
"""Sound that a server may have kept for new listeners: Icecast's 64 kB are a minute at 8 kbit/s."""

ATTEMPTS = 2
"""Attempts without lasting sound after which a camera is asked for other media."""
LASTING_SECONDS = 90.0
"""Sound that lasts: a camera's session ends a minute after what it misses."""

_ORPHAN_TIMEOUT = 30_000_000
"""Microseconds after which ffmpeg gives up alone, when nobody is there any more to end it."""


class MediaChoice:
    """What a camera is asked for.

    The sound alone, which costs least; where that brings none that lasts, the picture as well, and
    so on in turns until it does. What has brought lasting sound stays.
    """

    def __init__(self, wish: Media | None = None) -> None:
        """Take what to ask for whatever comes of it; None is to find out."""
        self._is_fixed = wish is not None
        self.now: Media = wish or "audio"
        self._failures = 0

    def judge(self, seconds: float) -> None:
        """Take how much sound an attempt has brought."""
        self._failures = 0 if seconds >= LASTING_SECONDS else self._failures + 1
        if not self._is_fixed and self._failures and self._failures % ATTEMPTS == 0:
            self.now = "all" if self.now == "audio" else "audio"


class UrlSource(ChildSource):
    """A stream (RTSP, HTTP, SRT, RTMP) that ffmpeg decodes, opened again after every fault.

    That ffmpeg ends without an error is a fault, too: so it does when a server dies. The address
    stands on ffmpeg's command line, where other users of this machine can read it.
    """

    def __init__(
        self,
        name: str,
        url: str,
        *,
        sample_rate: int = 16000,
        channel: int | None = None,
        stall_timeout: float = 3.0,
        muted_seconds: float = MUTED_SECONDS,
        true_rate: int | None = None,
        media: Media | None = None,
        transport: Transport = "tcp",
    ) -> None:
        """Prepare to play `url`; nothing is started yet.

        Args:
            url: as `ast_edge.sources.stream_url.check_url` takes it.
            sample_rate: hertz to convert to.
            channel: the only one to listen to, from 1; None mixes all.
            stall_timeout: seconds without sound after which the stream is opened again.
            muted_seconds: seconds of digital silence that are a fault; 0 is never.
            true_rate: hertz that come of the conversion, because the server states a wrong rate.
            media: what to ask a server of RTSP for; None finds out.
            transport: of RTSP.
        """
        url = with_lower_scheme(url)
        self._make_command = partial(ffmpeg_command, url, sample_rate, channel, transport=transport)
        self._media = MediaChoice(media if is_rtsp(url) else "all")
        self._notices = FfmpegNotices()
        # What names itself a list of segments need not be opened to find out.
        self._is_segmented = urlsplit(url).path.endswith(".m3u8")
        self._stretch = (true_rate or sample_rate) / sample_rate
        super().__init__(
            name,
            f"stream {shown_url(url)}",
            [],
            pcm=PcmFormat("s16le", sample_rate, 1),
            stall_timeout=stall_timeout,
            start_timeout=START_TIMEOUT,
            backlog_seconds=BACKLOG_SECONDS,
            muted_seconds=muted_seconds,
            true_rate=true_rate,
            secrets=secrets_of(url),
        )

    def _run(self) -> Generator[Block, None, None]:
        media = self._media.now
        try:
            self._command = self._make_command(media=media, real_time=self._is_segmented)
        except AudioError as exc:  # it may be installed while we wait
            raise ChildError(str(exc)) from exc
        self._notices = FfmpegNotices()
        seconds = 0.0
        try:
            with closing(super()._run()) as blocks:
                for block in blocks:
                    seconds += len(block.samples) / block.stream.sample_rate
                    yield block
        finally:
            self._media.judge(seconds)
            if self._media.now != media:
                what = "the picture, too" if self._media.now == "all" else "the sound alone"
                _log.debug("%s: no lasting sound; asking for %s", self._title, what)

    def _begun(self, pcm: PcmFormat) -> int | None:
        if self._notices.is_segmented and not self._is_segmented:
            self._is_segmented = True
            raise Unfit("it comes in segments: letting them flow")
        rate = self._notices.sample_rate
        return None if rate is None else round(rate * self._stretch)

    def _complaint_in(self, line: str) -> str:
        return self._notices.take(line)


def ffmpeg_command(
    url: str,
    sample_rate: int,
    channel: int | None = None,
    *,
    media: Media = "audio",
    transport: Transport = "tcp",
    real_time: bool = False,
) -> list[str]:
    """Return the command that writes the sound of `url` as mono s16le to its standard output.

    Args:
        media: what to ask a server of RTSP for.
        transport: of RTSP.
        real_time: whether to take it no faster than time goes by: segments come at once.

    Raises:
        AudioError: ffmpeg is not installed or does not work.
    """
    program = find_ffmpeg("a url")
    command = [program, "-nostdin", *OPTIONS]
    if is_rtsp(url):
        command += ["-rtsp_transport", transport]
        if media == "audio":
            command += ["-allowed_media_types", "audio"]
        # What is -timeout now made FFmpeg 4 wait to be called.
        option = "-timeout" if libavformat(program) >= 59 else "-stimeout"
        command += [option, str(_ORPHAN_TIMEOUT)]
    else:
        command += ["-rw_timeout", str(_ORPHAN_TIMEOUT)]
    if real_time:
        command.append("-re")
    mix = ["-ac", "1"] if channel is None else ["-af", f"pan=mono|c0=c{channel - 1}"]
    return [*command, "-i", url, "-vn", *mix, "-ar", str(sample_rate), "-f", "s16le", "pipe:1"]
