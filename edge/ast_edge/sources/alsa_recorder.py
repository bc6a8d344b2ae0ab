"""Recording straight from ALSA, which converts what PortAudio cannot take."""

import ctypes
import errno
import os
import re
import sys
from collections.abc import Iterator

from ast_edge.base.errors import AudioError
from ast_edge.sources.devices import InputDevice

_CAPTURE, _S16_LE, _INTERLEAVED = 1, 2, 3
_CONVERT = 1
_LATENCY = 500_000
"""Microseconds of the buffer in the device."""
_READS_PER_SECOND = 25


class AlsaRecorder:
    """A device that gives 24 bits in four bytes only, or another format that nobody else takes.

    ALSA is a library of C with functions of plain types, and is there wherever PortAudio is.
    """

    def __init__(self, device: InputDevice, sample_rate: int, channels: int) -> None:
        """Open the device; raises AudioError when that cannot be done."""
        self.device, self.sample_rate, self.channels = device, sample_rate, channels
        try:
            self._alsa = ctypes.CDLL("libasound.so.2")
        except OSError as exc:
            raise AudioError(f"ALSA cannot be loaded: {exc}") from exc
        self._alsa.snd_strerror.restype = ctypes.c_char_p
        self._alsa.snd_pcm_readi.restype = ctypes.c_long
        self._alsa.snd_pcm_readi.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_ulong)
        self._pcm = ctypes.c_void_p()
        self._check(
            self._alsa.snd_pcm_open(
                ctypes.byref(self._pcm), converting(device.name).encode(), _CAPTURE, 0
            )
        )
        self._check(
            self._alsa.snd_pcm_set_params(
                self._pcm, _S16_LE, _INTERLEAVED, channels, sample_rate, _CONVERT, _LATENCY
            )
        )

    def blocks(self) -> Iterator[bytes]:
        """Yield s16le PCM; raises AudioError when there is no more."""
        frames = max(self.sample_rate // _READS_PER_SECOND, 1)
        buffer = ctypes.create_string_buffer(frames * self.channels * 2)
        while True:
            got = self._alsa.snd_pcm_readi(self._pcm, buffer, frames)
            if got == -errno.EPIPE:
                print("input overflow: the device has lost samples", file=sys.stderr, flush=True)
            if got < 0:
                if self._alsa.snd_pcm_recover(self._pcm, int(got), 1) < 0:
                    raise AudioError("the device has gone away")
                continue
            yield buffer.raw[: got * self.channels * 2]

    def _check(self, result: int) -> None:
        if result < 0:
            reason = self._alsa.snd_strerror(result) or os.strerror(-result).encode()
            raise AudioError(reason.decode(errors="replace"))


def converting(device: str) -> str:
    """Return ALSA's name of what converts the sound of a device that PortAudio names.

    Those of hardware end in "(hw:1,0)"; others are ALSA's own names.
    """
    hardware = re.search(r"\((hw:\d+,\d+)\)$", device)
    return f"plug{hardware[1]}" if hardware else f"plug:{device}"
