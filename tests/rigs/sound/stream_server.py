"""Real servers of live streams, to be killed and frozen."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType

from rigs.ports import free_port

_TIMEOUT = 20.0
_SYSTEM_PYTHON = "/usr/bin/python3"
_GSTREAMER = (
    "import gi; gi.require_version('GstRtspServer', '1.0'); gi.require_version('Gst', '1.0');"
    "from gi.repository import Gst, GstRtspServer; Gst.init(None);"
    "assert all(map(Gst.ElementFactory.find, ('rtpL16pay', 'jpegenc', 'audiopanorama')))"
)


def available(scheme: str) -> str | None:
    """Return why there can be no such server here, None if there can."""
    if shutil.which("ffmpeg") is None:
        return "ffmpeg is not installed (apt install ffmpeg)"
    if scheme == "http":
        return None
    if not Path(_SYSTEM_PYTHON).exists():
        return f"there is no {_SYSTEM_PYTHON}"
    if subprocess.run([_SYSTEM_PYTHON, "-c", _GSTREAMER], capture_output=True).returncode != 0:
        return (
            "GStreamer's RTSP server is not installed (apt install python3-gi "
            "gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good)"
        )
    return None


class StreamServer:
    """A process that serves live sound at an address that stays the same."""

    def __init__(self, scheme: str) -> None:
        program = Path(__file__).with_name(f"{scheme}_server.py")
        self.host = f"127.0.0.1:{free_port()}"
        python = sys.executable if scheme == "http" else _SYSTEM_PYTHON
        self._command = [python, str(program), self.host.partition(":")[2]]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "StreamServer":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    def start(self) -> None:
        """Begin to serve."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n", "the server does not start"

    def kill(self) -> None:
        """Let it crash."""
        if self._process is not None and self._process.stdout is not None:
            self._process.kill()
            self._process.wait(_TIMEOUT)
            self._process.stdout.close()

    def freeze(self) -> None:
        """Nothing fails, nothing comes."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)
