"""A systemd of the test's own: booted in systemd-nspawn over a throw-away overlay of this machine.

It needs root. The network is this machine's, so a broker of the test can be reached.
"""

import functools
import os
import shutil
import subprocess
import textwrap
import time
from pathlib import Path

BOOT_SECONDS = 30.0
COMMAND_SECONDS = 120.0
PRIVATE_MOUNTS = ["unshare", "-m", "--propagation", "private"]

ZEROS_DROP_IN = """\
[Service]
# The Python behind this environment may stand in a home.
ProtectHome=no
StandardInput=file:/dev/zero
"""
"""For a service that hears digital silence."""

BOOT = """\
set -eu
mkdir -p {work}/t
mount -t tmpfs -o size=2g t {work}/t
mkdir {work}/t/up {work}/t/work {work}/t/m
mount -t overlay overlay -o lowerdir=/,upperdir={work}/t/up,workdir={work}/t/work {work}/t/m
: > {work}/t/m/etc/machine-id
cp -r {files}/. {work}/t/m/
exec systemd-nspawn -q -D {work}/t/m --machine=test-$$ --register=no --keep-unit --boot \\
    --console=pipe {binds} systemd.unit=test.target </dev/null
"""

TARGET = """\
[Unit]
Requires=systemd-journald.socket
Wants=systemd-journald.service sysinit.target
AllowIsolate=yes
"""


PROBE = """\
mount -t tmpfs t /mnt && mkdir /mnt/up /mnt/work /mnt/m &&
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/up,workdir=/mnt/work /mnt/m
"""


@functools.cache
def why_not() -> str:
    """Say why systemd cannot be booted here; empty if it can."""
    if os.geteuid() != 0:
        return "systemd-nspawn needs root"
    if not shutil.which("systemd-nspawn"):
        return "systemd-nspawn is missing: apt install systemd-container"
    probe = [*PRIVATE_MOUNTS, "sh", "-c", PROBE]
    tried = subprocess.run(probe, capture_output=True, text=True, check=False)
    return f"no overlay can be mounted here: {tried.stderr.strip()}" if tried.returncode else ""


class Systemd:
    """A machine whose files are this one's and those given; changes are lost with it."""

    def __init__(self, work: Path, files: dict[str, str], binds: dict[Path, str]) -> None:
        """Boot it with files, by their paths in it, and with folders of this machine (`binds`)."""
        self._log = work / "log"
        for path, text in (files | {"/etc/systemd/system/test.target": TARGET}).items():
            place = work / "files" / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
        script = BOOT.format(
            work=work,
            files=work / "files",
            binds=" ".join(f"--bind-ro={here}:{there}" for here, there in binds.items()),
        )
        with self._log.open("wb") as log:
            self._outer = subprocess.Popen(
                [*PRIVATE_MOUNTS, "bash", "-c", script],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._leader = self._boot()

    def __enter__(self) -> "Systemd":
        return self

    def __exit__(self, *_: object) -> None:
        if self._leader:
            subprocess.run(["kill", "-RTMIN+4", str(self._leader)], check=False)  # power off
        try:
            self._outer.wait(timeout=20)
        except subprocess.TimeoutExpired:
            subprocess.run(["kill", "-KILL", str(self._leader)], check=False)
            self._outer.kill()
            self._outer.wait()

    def run(self, *command: str, check: bool = True, text: str = "") -> str:
        """Run a command in the machine with `text` to read, and return what it prints."""
        done = subprocess.run(
            ["nsenter", "-t", str(self._leader), "-a", *command],
            input=text,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"},
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"{' '.join(command)}: {done.stderr}{done.stdout}{self.journal()}")
        return done.stdout.strip()

    def write(self, path: str, text: str, mode: str = "644") -> None:
        """Write a file of the machine."""
        self.run("install", "-D", "-m", mode, "/dev/stdin", path, text=text)

    def show(self, unit: str, key: str) -> str:
        """Return a property of a unit."""
        return self.run("systemctl", "show", "-P", key, unit)

    def wait(self, unit: str, key: str, value: str, seconds: float = 40.0) -> None:
        """Wait until a property of a unit has a value, or begins with it."""
        deadline = time.monotonic() + seconds
        while not (found := self.show(unit, key)).startswith(value):
            if time.monotonic() > deadline:
                raise AssertionError(f"{unit}: {key} is {found!r}, not {value}\n{self.journal()}")
            time.sleep(0.1)

    def journal(self) -> str:
        """Return the newest lines of the journal."""
        return self.run("journalctl", "-n", "40", "--no-pager", "-o", "cat", check=False)

    def _boot(self) -> int:
        deadline = time.monotonic() + BOOT_SECONDS
        while time.monotonic() < deadline and self._outer.poll() is None:
            if leader := self._find_leader():
                self._leader = leader
                state = self.run("systemctl", "is-system-running", check=False)
                if state in ("running", "degraded"):
                    return leader
            time.sleep(0.1)
        self._outer.kill()
        raise AssertionError(
            f"systemd did not boot:\n{textwrap.indent(self._log.read_text(), ' ')}"
        )

    def _find_leader(self) -> int:
        """Return the process of the machine's systemd, or 0."""
        command = ["pgrep", "-P", str(self._outer.pid), "-x", "systemd"]
        found = subprocess.run(command, capture_output=True, text=True, check=False)
        return int(found.stdout.split()[0]) if found.stdout.split() else 0
