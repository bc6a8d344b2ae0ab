"""Recordings as other programs write them: by ffmpeg, or with a header that was never filled in."""

import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

RATE = 16000
needs_ffmpeg = pytest.mark.skipif(
    shutil.which("ffmpeg") is None, reason="ffmpeg is not installed (apt install ffmpeg)"
)


def write_wav(path: Path, seconds: float, subtype: str = "PCM_16") -> Path:
    """Write a tone that is loud for one second and soft for seven, in turns."""
    time = np.arange(round(seconds * RATE)) / RATE
    loudness = np.where(time % 8 < 1, 0.5, 0.01)
    soundfile.write(path, loudness * np.sin(2 * np.pi * 440 * time), RATE, subtype=subtype)
    return path


def encode(path: Path, seconds: float, *options: str) -> Path:
    """Write the same as ffmpeg encodes it; the suffix says what."""
    source = write_wav(path.with_name("source.wav"), seconds)
    command = ["ffmpeg", "-y", "-v", "error", "-i", str(source), *options, str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return path


def set_data_size(path: Path, size: int) -> None:
    """Let a WAV's header say another size of its sound; the sound stays."""
    data = bytearray(path.read_bytes())
    at = data.index(b"data")
    data[4:8] = struct.pack("<I", (at + size) & 0xFFFFFFFF)
    data[at + 4 : at + 8] = struct.pack("<I", size)
    path.write_bytes(data)
