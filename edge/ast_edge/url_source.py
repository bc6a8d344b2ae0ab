"""Live streams by URL as a source, through ffmpeg."""

from collections.abc import Iterator
from functools import partial
from urllib.parse import urlsplit

from ast_edge.audio import Block
from ast_edge.child import ChildError
from ast_edge.child_source import ChildSource
from ast_edge.errors import AudioError
from ast_edge.ffmpeg import find_ffmpeg, libavformat
from ast_edge.pcm import PcmFormat
from ast_edge.sound_check import MUTED_SECONDS
from ast_edge.stream_url import secrets_of, shown_url

START_TIMEOUT = 20.0
"""Seconds until a stream must have begun: a camera may sleep, and ffmpeg looks what comes first."""

BACKLOG_SECONDS = 20.0
"""Sound that a server may have kept for new listeners, and ffmpeg while it looked what comes."""

_ORPHAN_TIMEOUT = 30_000_000
"""Microseconds after which ffmpeg gives up alone, when nobody is there any more to end it."""


class UrlSource(ChildSource):
    """A stream (RTSP, HTTP) that ffmpeg decodes, opened again after every fault.

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
    ) -> None:
        """Prepare to play `url`; nothing is started yet.

        Args:
            url: as `ast_edge.stream_url.check_url` takes it.
            sample_rate: hertz to convert to.
            channel: the only one to listen to, from 1; None mixes all.
            stall_timeout: seconds without sound after which the stream is opened again.
            muted_seconds: seconds of digital silence that are a fault; 0 is never.
        """
        self._make_command = partial(ffmpeg_command, url, sample_rate, channel)
        super().__init__(
            name,
            f"stream {shown_url(url)}",
            [],
            pcm=PcmFormat("s16le", sample_rate, 1),
            stall_timeout=stall_timeout,
            start_timeout=START_TIMEOUT,
            backlog_seconds=BACKLOG_SECONDS,
            muted_seconds=muted_seconds,
            secrets=secrets_of(url),
        )

    def _run(self) -> Iterator[Block]:
        try:
            self._command = self._make_command()
        except AudioError as exc:  # it may be installed while we wait
            raise ChildError(str(exc)) from exc
        yield from super()._run()


def ffmpeg_command(url: str, sample_rate: int, channel: int | None = None) -> list[str]:
    """Return the command that writes the sound of `url` as mono s16le to its standard output.

    Raises:
        AudioError: ffmpeg is not installed or does not work.
    """
    program = find_ffmpeg("a url")
    command = [program, "-nostdin", "-v", "error"]
    if url.startswith("rtsp"):
        command += ["-rtsp_transport", "tcp", "-allowed_media_types", "audio"]
        # What is -timeout now made FFmpeg 4 wait to be called.
        option = "-timeout" if libavformat(program) >= 59 else "-stimeout"
        command += [option, str(_ORPHAN_TIMEOUT)]
    else:
        command += ["-rw_timeout", str(_ORPHAN_TIMEOUT)]
        if urlsplit(url).path.endswith(".m3u8"):  # HLS comes in segments: let them flow
            command.append("-re")
    mix = ["-ac", "1"] if channel is None else ["-af", f"pan=mono|c0=c{channel - 1}"]
    return [*command, "-i", url, "-vn", *mix, "-ar", str(sample_rate), "-f", "s16le", "pipe:1"]
