"""What leaves the machine for one event: the same JSON in MQTT messages and in files."""

import json
from collections.abc import Mapping
from datetime import datetime

from ast_edge.base.times import iso8601
from ast_edge.detection.event import Event
from ast_edge.detection.groups import Group
from ast_edge.outputs.schema import SCHEMA

Json = str | int | float | list[str] | None


def event_payload(event: Event, *, node: str) -> dict[str, Json]:
    """Return the event as a mapping of JSON values, always with the same keys.

    Times are ISO 8601 in UTC with milliseconds; a replay counts from 1970-01-01T00:00:00.000Z.
    `offset` is null until the event has ended; `duration` is what is known so far, in seconds.
    `members` are the labels of a group, null for a label of the model. `message` is the same
    whenever this phase of this event is sent again, and no other's.
    """
    group = event.label
    return {
        "schema": SCHEMA,
        "id": event.id,
        "type": event.phase,
        "label": event.label.name,
        "slug": event.label.slug,
        "mid": event.label.mid or None,
        "members": [m.name for m in group.members] if isinstance(group, Group) else None,
        "node": node,
        "source": event.source,
        "onset": iso8601(event.onset),
        "offset": iso8601(event.offset) if event.phase == "end" else None,
        "duration": round(event.duration, 3),
        "score": round(event.score, 4),
        "peak": round(event.peak, 4),
        "bundle": event.bundle,
        "message": f"{event.id}-{event.phase}-{round(event.duration * 1000)}",
        "late": False,
    }


def event_json(event: Event, *, node: str) -> str:
    """Return `event_payload` as one line of JSON, without a line feed."""
    return _json(event_payload(event, node=node))


def late_json(text: str) -> str:
    """Return what `event_json` made, marked as sent long after it happened."""
    return _json(json.loads(text) | {"late": True})


def interrupted_json(text: str) -> str:
    """Return the end of a running event whose daemon has died, from its newest `event_json`.

    When the sound ended is not known: `offset` is how far it had been heard.
    """
    event = json.loads(text)
    onset = datetime.fromisoformat(event["onset"].replace("Z", "+00:00")).timestamp()
    end = {
        "type": "end",
        "offset": iso8601(onset + event["duration"]),
        "message": f"{event['id']}-end-{round(event['duration'] * 1000)}",
        "late": True,
    }
    return _json(event | end)


def _json(payload: Mapping[str, Json]) -> str:
    # A score that is not a number would make the line unreadable to strict parsers: a bug, said.
    return json.dumps(payload, ensure_ascii=False, allow_nan=False)
