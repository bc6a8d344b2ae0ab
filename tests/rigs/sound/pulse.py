"""A real sound server of one's own with a virtual microphone in it."""

import shutil
import signal
import subprocess
import tempfile
import time
from ctypes.util import find_library
from pathlib import Path
from types import TracebackType

DEVICE = "vmic"
"""Name of the microphone as PortAudio lists it."""

_TIMEOUT = 20.0
_ALSA_CONFIG = """\
</usr/share/alsa/alsa.conf>
pcm.vmic { type pulse device "vmic" hint { show on description "Virtual microphone" } }
"""


def available() -> str | None:
    """Return why there can be no virtual microphone here, None if there can."""
    for program in ("pulseaudio", "pactl", "paplay"):
        if shutil.which(program) is None:
            return f"{program} is not installed (apt install pulseaudio pulseaudio-utils)"
    if find_library("portaudio") is None:
        return "PortAudio is not installed (apt install libportaudio2)"
    if not list(Path("/usr/lib").glob("*/alsa-lib/libasound_module_pcm_pulse.so")):
        return "ALSA has no plugin for PulseAudio (apt install libasound2-plugins)"
    return None


class VirtualMicrophone:
    """A private PulseAudio whose source `vmic` hears what is played to it.

    Clients (also those started later by others) need `environment` in theirs.
    """

    def __init__(self) -> None:
        # Not pytest's folder: the path of a socket is limited to 107 bytes.
        self._folder = Path(tempfile.mkdtemp(prefix="vmic-"))
        self._server: subprocess.Popen[bytes] | None = None
        self._clients: list[subprocess.Popen[bytes]] = []
        run = self._folder / "run"
        run.mkdir(mode=0o700)
        socket = run / "native"
        self.environment = {
            "PULSE_SERVER": f"unix:{socket}",
            "PULSE_COOKIE": str(self._folder / "cookie"),
            "PULSE_RUNTIME_PATH": str(run),
            "PULSE_STATE_PATH": str(self._folder),
            "XDG_RUNTIME_DIR": str(run),
            "ALSA_CONFIG_PATH": str(self._folder / "asoundrc"),
        }
        (self._folder / "asoundrc").write_text(_ALSA_CONFIG)
        (self._folder / "default.pa").write_text(
            f"load-module module-native-protocol-unix auth-anonymous=1 socket={socket}\n"
        )

    def __enter__(self) -> "VirtualMicrophone":
        try:
            self.start()
        except BaseException:
            self._clean_up()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._clean_up()

    def start(self) -> None:
        """Start the server with the microphone plugged in."""
        self._server = self._spawn(
            "pulseaudio",
            "-n",
            f"--file={self._folder / 'default.pa'}",
            "--daemonize=no",
            "--exit-idle-time=-1",
            "--use-pid-file=no",
            "--realtime=no",
            "--high-priority=no",
            "--disable-shm=yes",
        )
        deadline = time.monotonic() + _TIMEOUT
        while self._pactl("info", check=False).returncode != 0:
            assert time.monotonic() < deadline, "PulseAudio does not start"
            time.sleep(0.02)
        self.replug()

    def kill(self) -> None:
        """Let the sound server crash."""
        assert self._server is not None
        self._server.kill()
        self._server.wait(_TIMEOUT)
        self._end_clients()

    def stall(self) -> None:
        """Freeze the sound server: nothing fails, nothing comes."""
        assert self._server is not None
        self._server.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Thaw the sound server."""
        assert self._server is not None
        self._server.send_signal(signal.SIGCONT)

    def unplug(self) -> None:
        """Take the microphone away from a sound server that goes on."""
        self._pactl("unload-module", "module-remap-source")
        self._pactl("unload-module", "module-null-sink")
        self._end_clients()

    def replug(self) -> None:
        """Put the microphone back."""
        # A sink that can rewind would deliver every 2 s only, until somebody asks for less delay.
        sink = ("sink_name=vspk", "rate=48000", "channels=2", "norewinds=1")
        self._pactl("load-module", "module-null-sink", *sink)
        self._pactl(
            "load-module",
            "module-remap-source",
            f"source_name={DEVICE}",
            "master=vspk.monitor",
            "remix=no",
        )
        self._pactl("set-default-source", DEVICE)

    def rename(self, name: str) -> None:
        """Give the microphone another name, which those that look for it from now on will see."""
        (self._folder / "asoundrc").write_text(_ALSA_CONFIG.replace("pcm.vmic", f"pcm.{name}"))

    def wait_for_listener(self) -> None:
        """Wait until somebody records from the microphone."""
        deadline = time.monotonic() + _TIMEOUT
        while not self._pactl("list", "short", "source-outputs").stdout:
            assert time.monotonic() < deadline, "nobody listens to the microphone"
            time.sleep(0.02)

    def play(self, path: Path) -> "subprocess.Popen[bytes]":
        """Begin to play a recording into the microphone, in real time."""
        player = self._spawn("paplay", "--device=vspk", str(path))
        self._clients.append(player)
        return player

    def _pactl(self, *arguments: str, check: bool = True) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(
            ["pactl", *arguments],
            env=self._client_environment(),
            check=check,
            capture_output=True,
            timeout=_TIMEOUT,
        )

    def _spawn(self, *command: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            command,
            env=self._client_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def _client_environment(self) -> dict[str, str]:
        return {"PATH": "/usr/bin:/bin", "HOME": str(self._folder), **self.environment}

    def _end_clients(self) -> None:
        for client in self._clients:
            client.kill()
            client.wait(_TIMEOUT)
        self._clients.clear()

    def _clean_up(self) -> None:
        self._end_clients()
        if self._server is not None:
            self._server.kill()
            self._server.wait(_TIMEOUT)
        shutil.rmtree(self._folder)
