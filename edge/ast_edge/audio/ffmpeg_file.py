"""Recordings that ffmpeg decodes, because libsndfile cannot or guesses their length."""

import os
import struct
import subprocess

import numpy as np
from numpy.typing import NDArray

from ast_edge.audio.ffmpeg import find_ffmpeg
from ast_edge.base.errors import AudioError

_FORMATS = (
    "aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,au,avi,caf,eac3,flac,flv,matroska,mov,mp3,mpeg,mpegts,"
    "ogg,tta,w64,wav,wv"
)
"""Formats of recordings; ffmpeg knows others that name further files or addresses to open."""
_AU_HEADER = ">4s5I"
_LONGEST_COMPLAINT = 300


class FfmpegFile:
    """A recording that a child process decodes, from start to end."""

    length: int | None = None

    def __init__(self, fd: int) -> None:
        """Start to decode the regular file that `fd` has open, from its start.

        Raises:
            AudioError: ffmpeg is not installed, or finds no sound.
        """
        command = [find_ffmpeg("this recording"), "-nostdin", "-v", "error"]
        # By descriptor: a name could be taken for another format, or for an address.
        command += ["-protocol_whitelist", "file", "-format_whitelist", _FORMATS]
        command += ["-i", "file:/dev/fd/0", "-map", "0:a:0", "-c:a", "pcm_f32be", "-f", "au"]
        # Memory takes all that it says; a pipe would have to be read beside the sound.
        self._said = os.fdopen(os.memfd_create("ffmpeg says"), "w+b")
        try:
            self._process = subprocess.Popen(
                [*command, "pipe:1"], stdin=fd, stdout=subprocess.PIPE, stderr=self._said
            )
        except OSError as exc:
            self._said.close()
            raise AudioError(f"{command[0]} cannot be started: {exc.strerror}") from exc
        assert self._process.stdout is not None
        self._out = self._process.stdout
        try:
            self.sample_rate, self.channels = self._read_header()
        except BaseException:
            self.close()
            raise
        self.damage: str | None = None
        """What is wrong with it, as far as it has been read."""

    def read(self, frames: int) -> NDArray[np.float32]:
        """Return the next samples (n, channels), full scale at 1.0; n is 0 at the end."""
        frame_bytes = 4 * self.channels
        data = self._out.read(frames * frame_bytes)
        whole = len(data) - len(data) % frame_bytes
        if whole < frames * frame_bytes:
            self._end()
        samples = np.frombuffer(data[:whole], ">f4").astype(np.float32)
        return samples.reshape(-1, self.channels)

    def seek(self, sample: int) -> None:
        """Refuse: its length is not known."""
        raise ValueError(f"expected to be read from start to end, not from sample {sample} on")

    def close(self) -> None:
        """End the decoding."""
        self._process.kill()
        self._process.wait()
        self._out.close()
        self._said.close()

    def _read_header(self) -> tuple[int, int]:
        """Take ffmpeg's header off its output; return hertz and channels."""
        header = self._out.read(struct.calcsize(_AU_HEADER))
        if len(header) < struct.calcsize(_AU_HEADER):
            self._process.wait()
            raise AudioError(self._complaints() or "there is no sound in it")
        _, offset, _, _, rate, channels = struct.unpack(_AU_HEADER, header)
        self._out.read(offset - len(header))
        return rate, channels

    def _end(self) -> None:
        """Judge a decoding that has come to its end."""
        status = self._process.wait()
        # Of most faults in the middle it speaks as well, and goes on behind them.
        cut_off = [line for line in self._lines() if "partial file" in line]
        if status != 0 or cut_off:
            said = cut_off[-1] if cut_off else self._complaints()
            self.damage = said[-_LONGEST_COMPLAINT:] or f"ffmpeg ended with status {status}"

    def _complaints(self) -> str:
        """Return the last line that ffmpeg said."""
        lines = self._lines()
        return lines[-1][-_LONGEST_COMPLAINT:] if lines else ""

    def _lines(self) -> list[str]:
        """Return the newest lines that ffmpeg said."""
        size = self._said.seek(0, os.SEEK_END)
        self._said.seek(max(size - 4096, 0))
        return self._said.read().decode(errors="replace").strip().splitlines()
