"""The child processes of a test."""

from pathlib import Path


def children(word: str) -> list[int]:
    """Return the children of this process that are alive and have a word on the command line."""
    return [
        int(pid)
        for task in Path("/proc/self/task").iterdir()
        for pid in _read(task / "children").split()
        if word.encode() in _read(Path(f"/proc/{int(pid)}/cmdline"))
    ]


def asleep(pid: int) -> bool:
    """Tell whether a process waits for something."""
    return _read(Path(f"/proc/{pid}/stat")).rpartition(b")")[2].split()[:1] == [b"S"]


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except (FileNotFoundError, ProcessLookupError):  # it ended meanwhile
        return b""
