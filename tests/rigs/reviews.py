"""Files of reviews as the page writes them."""

import json
from pathlib import Path
from typing import Any

ONSET = "2026-11-28T17:00:{:02}.000Z"


def said(number: int, verdict: str = "right", **more: Any) -> dict[str, Any]:
    """Return a line on the event of this number (0 to 59), which began at that second."""
    return {
        "schema": 1,
        "time": "2026-11-28T18:00:00.000Z",
        "verdict": verdict,
        "true": None,
        "id": f"{number:032x}",
        "node": "attic",
        "source": "hall",
        "label": "Hum",
        "slug": "hum",
        "mid": "/m/07rcgpl",
        "onset": ONSET.format(number),
        "offset": None,
        "duration": 0.5,
        "peak": 0.9,
        "bundle": "bands",
        "clip": None,
    } | more


def write_reviews(path: Path, *lines: dict[str, Any] | str) -> Path:
    """Write lines, those that are text as they are."""
    text = [one if isinstance(one, str) else json.dumps(one) for one in lines]
    path.write_text("\n".join(text) + "\n")
    return path


def clip_of(folder: Path, number: int) -> Path:
    """Return where the clip of an event would lie."""
    return folder / f"hall_hum_20261128T170000Z_{number:032x}.flac"
