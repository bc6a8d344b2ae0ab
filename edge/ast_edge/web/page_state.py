"""What the page tells of the daemon: its status document without paths and processes."""

import re
import time
from collections.abc import Mapping
from typing import Any

from ast_edge.app.report import DaemonReport
from ast_edge.app.status_document import status_document
from ast_edge.base.printable import printable
from ast_edge.base.secret_values import masked

Json = dict[str, Any]

_PATH = re.compile(r"(?<![\w:/.\-])~?/[^\s,;:'\")\]]+")
_URL = re.compile(r"(?<=://)[^\s/@'\"]+@")
LONGEST = 300
"""Characters of what others say."""


def page_state(
    report: DaemonReport, *, snoozes: dict[str, int], changes: bool, advice: Mapping[str, str]
) -> Json:
    """Return the state as the page shows it; `snoozes` are minutes left, by source.

    `advice` is what ails whom (see `hints`).
    """
    known, now = status_document(report), time.monotonic()
    for name, source in known["sources"].items():
        reading = report.sources[name].reading
        source["detail"] = shown(source["detail"])
        source["quiet_for"] = round(max(0.0, now - reading.heard_at), 1) if reading.heard_at else 0
        source["snooze"] = snoozes.get(name, 0)
        source["bad_samples"] = reading.bad_samples
        source["paused"] = reading.paused
    if known["broker"]:
        known["broker"]["fault"] = shown(known["broker"]["fault"])
    if known["reload"] and known["reload"]["refusal"]:
        known["reload"]["refusal"] = shown(known["reload"]["refusal"])
    left_out = ("config", "pid", "events", "web")
    return {
        "type": "state",
        "time": round(report.time, 3),
        "changes": changes,
        "hints": advice,
        "skipped_windows": report.skipped,
        "unusable_windows": sum(report.unusable.values()),
        **{key: value for key, value in known.items() if key not in left_out},
    }


def shown(text: str) -> str:
    """Return a text of others without paths, passwords and what a screen obeys."""
    bare = _URL.sub("***@", _PATH.sub("…", masked(text)))
    return printable(bare)[:LONGEST]
