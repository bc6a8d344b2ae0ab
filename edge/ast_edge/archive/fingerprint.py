"""By what a recording is known to be the one that was heard."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Fingerprint:
    """Two of a file differ if it was changed meanwhile."""

    size: int
    """Bytes."""
    mtime_ns: int
    """Unix time of its last change."""


def fingerprint_of(file: int | str) -> Fingerprint:
    """Return that of an open file, or of a file of this machine by its name.

    Raises:
        OSError: there is no such file.
    """
    found = os.fstat(file) if isinstance(file, int) else Path(file).stat()
    return Fingerprint(found.st_size, found.st_mtime_ns)
