"""The program ffmpeg: where it is, and how old."""

import re
import shutil
import subprocess

from ast_edge.base.errors import AudioError

_VERSION_TIMEOUT = 10.0


def find_ffmpeg(what: str = "this") -> str:
    """Return the path of ffmpeg, which `what` needs.

    Raises:
        AudioError: it is not installed.
    """
    program = shutil.which("ffmpeg")
    if program is None:
        raise AudioError(f"{what} needs ffmpeg, which is not installed (apt install ffmpeg)")
    return program


def libavformat(program: str) -> int:
    """Return the major version of ffmpeg's library of formats: 58 in FFmpeg 4, 59 in 5.

    Raises:
        AudioError: it does not run, or is something else.
    """
    try:
        done = subprocess.run(
            [program, "-version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_VERSION_TIMEOUT,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise AudioError(f"{program} does not run: {type(exc).__name__}") from exc
    found = re.search(r"^libavformat\s+(\d+)\.", done.stdout, re.MULTILINE)
    if found is None:
        raise AudioError(f"expected {program} -version to name its libavformat; is it FFmpeg?")
    return int(found[1])
