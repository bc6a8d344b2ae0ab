"""How much memory the process uses."""

import os
from pathlib import Path


def resident_bytes() -> int:
    """Return the resident set size; source: proc_pid_statm(5)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
