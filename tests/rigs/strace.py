"""What a program and its children open and whom they call, as the kernel sees it."""

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_CALLS = (
    "open,openat,creat,rename,renameat,renameat2,link,linkat,mknod,mknodat,"
    "connect,bind,sendto,getsockname"
)
_WRITTEN = re.compile(
    r'\b(?:open|openat|creat)\([^"]*"((?:[^"\\]|\\.)*)", [^)]*(?:O_WRONLY|O_RDWR|O_CREAT|0[0-7]{3})'
)
_MADE = re.compile(r'\b(?:rename|renameat2?|linkat?|mknod(?:at)?)\(.*"((?:[^"\\]|\\.)*)"')
_ADDRESS = re.compile(
    r"\b(connect|bind|sendto|getsockname)\(.*(?:sin6?_port=htons\((\d+)\).*?\"([^\"]+)\"|sun_path=@?\"([^\"]*)\")"
)


def available() -> str:
    """Return why nothing can be traced here, or nothing."""
    if shutil.which("strace") is None:
        return "strace is not installed (apt install strace)"
    probe = subprocess.run(["strace", "-f", "-o", "/dev/null", "true"], capture_output=True)
    return "" if probe.returncode == 0 else "processes may not be traced here"


@dataclass(frozen=True)
class Traced:
    """What a program did."""

    returncode: int
    stderr: str
    written: frozenset[str]
    """Files opened for writing or made by renaming and linking; devices and pipes too."""
    called: frozenset[str]
    """Addresses connected or sent to: "host:port", or the path of a socket.

    Without those of sockets of its own on the loopback interface, which stand in for a pipe."""
    bound: frozenset[str]
    """Addresses of its own, by which others could call it; without ports that the system chose."""


def trace(command: Sequence[str | Path], folder: Path, environment: Mapping[str, str]) -> Traced:
    """Run a program to its end."""
    log = folder / "strace"
    # -ff: a file for each thread, where no call is torn in two by that of another.
    done = subprocess.run(
        ["strace", "-ff", "-s", "4096", "-e", f"trace={_CALLS}", "-o", log, *command],
        capture_output=True,
        text=True,
        timeout=110,
        env=dict(environment),
        cwd=folder,
    )
    written, calls = set[str](), dict[str, set[str]]()
    texts = [path.read_text(errors="replace") for path in folder.glob("strace.*")]
    for line in "".join(texts).splitlines():
        if found := _WRITTEN.search(line) or _MADE.search(line):
            written.add(found[1])
        elif found := _ADDRESS.search(line):
            address = found[4] if found[2] is None else f"{found[3]}:{found[2]}"
            calls.setdefault(found[1], set()).add(address)
    called = calls.get("connect", set()) | calls.get("sendto", set())
    return Traced(
        done.returncode,
        done.stderr,
        frozenset(written),
        frozenset(called - calls.get("getsockname", set())),
        frozenset(one for one in calls.get("bind", set()) if not one.endswith(":0")),
    )
