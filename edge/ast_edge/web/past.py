"""The events of before: from the history, with the clips that were kept of them."""

import re
from pathlib import Path
from typing import Any

from ast_edge.app.service import Service
from ast_edge.base.errors import AstError
from ast_edge.outputs.clip_folder import find_clips
from ast_edge.outputs.history import history_path, read_history
from ast_edge.outputs.payload import event_payload

Json = dict[str, Any]

SHOWN = 200
"""Events of a page."""
_ID = re.compile(r"[0-9a-f]{32}")


def past_events(service: Service, count: int = SHOWN) -> list[Json]:
    """Return the newest events, the oldest of them first, each with whether it has a clip.

    Reads files: not for the page's thread.
    """
    config = service.plan.config
    known: dict[str, Json] = {}
    if config.history.enabled and not (config.mqtt and config.mqtt.embedded):
        try:
            known = {e["id"]: e for e in read_history(history_path(config.node), count)}
        except AstError:
            known = {}  # there is none yet, or the log tells
    # What the history has not written yet, and all there is without one.
    for event in service.monitor.read().events:
        known[event.id] = event_payload(event, node=config.node)
    clips = kept_clips(service)
    events = sorted(known.values(), key=lambda event: event["onset"])
    return [event | {"clip": event["id"] in clips} for event in events[-count:]]


def find_clip(service: Service, identifier: str) -> Path | None:
    """Return the file with the sound of an event; None if there is none.

    Reads a folder: not for the page's thread.
    """
    if not _ID.fullmatch(identifier):
        return None
    return kept_clips(service).get(identifier)


def kept_clips(service: Service) -> dict[str, Path]:
    """Return the clips that there are, by the ids of their events.

    Reads a folder: not for the page's thread.
    """
    clips = service.plan.config.clips
    try:
        return find_clips(clips.folder) if clips else {}
    except OSError:
        return {}  # the daemon says what is wrong with it
