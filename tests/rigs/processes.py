"""The child processes of a test."""

from pathlib import Path


def children(word: str) -> list[int]:
    """Return the children of this process that are alive and have a word on the command line."""
    found = []
    for task in Path("/proc/self/task").iterdir():
        for pid in map(int, (task / "children").read_text().split()):
            if word.encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
    return found
