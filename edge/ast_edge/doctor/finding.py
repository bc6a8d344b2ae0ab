"""What an examination finds."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """What one step found."""

    step: str
    well: bool
    text: str
    remedy: str = ""
    """What to do about it, if it is not well."""
