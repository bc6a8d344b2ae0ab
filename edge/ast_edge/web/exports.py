"""Events as files that other programs read: CSV, Audacity's labels, Raven's tables."""

import csv
import io
from collections.abc import Sequence
from datetime import datetime
from typing import Any

Json = dict[str, Any]

FORMATS = {"csv": "text/csv", "audacity": "text/plain", "raven": "text/plain"}
"""Each with its kind of content."""
_COLUMNS = ("onset", "offset", "duration", "label", "source", "peak", "verdict", "id")


def export(events: Sequence[Json], kind: str) -> str:
    """Return events, oldest first, in one of FORMATS.

    Audacity and Raven count seconds: from the first event, whose time is in the CSV.

    Raises:
        KeyError: there is no such format.
    """
    return {"csv": _csv, "audacity": _audacity, "raven": _raven}[kind](events)


def _csv(events: Sequence[Json]) -> str:
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(_COLUMNS)
    for event in events:
        values = (event.get(key) for key in _COLUMNS)
        writer.writerow([harmless(v) if isinstance(v, str) else v for v in values])
    return file.getvalue()


def _audacity(events: Sequence[Json]) -> str:
    lines = (f"{a:.6f}\t{b:.6f}\t{_word(event)}\n" for event, a, b in _spans(events))
    return "".join(lines)


def _raven(events: Sequence[Json]) -> str:
    head = "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tAnnotation\tScore\n"
    rows = (
        f"{n}\tSpectrogram 1\t1\t{a:.6f}\t{b:.6f}\t{_word(event)}\t{event['peak']}\n"
        for n, (event, a, b) in enumerate(_spans(events), 1)
    )
    return head + "".join(rows)


def _spans(events: Sequence[Json]) -> list[tuple[Json, float, float]]:
    onsets = [datetime.fromisoformat(e["onset"].replace("Z", "+00:00")) for e in events]
    starts = [(onset - min(onsets)).total_seconds() for onset in onsets]
    return [(e, a, a + e["duration"]) for e, a in zip(events, starts, strict=True)]


def _word(event: Json) -> str:
    return " ".join(str(event["label"]).split())


def harmless(text: str) -> str:
    """Keep a spreadsheet from taking a label for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
