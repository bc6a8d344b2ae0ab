"""How a source is, in one word."""

from typing import Literal, get_args

from ast_edge.audio.health import Condition, Health

# fmt: off
State = Literal[
    "starting", "listening", "silent", "muted", "clipping", "drifting", "disabled", "failed",
    "ended",
]
# fmt: on
"""Silent: a live source delivers nothing and is opened again and again. For muted, clipping and
drifting see `ast_edge.audio.health.Condition`."""
STATES: tuple[State, ...] = get_args(State)
AVAILABLE: set[State] = {"listening", "clipping", "drifting", "disabled"}
"""In the other states nothing could be heard, so that "OFF" would be a lie."""

STATE_OF: dict[Condition, State] = {
    "ok": "listening",
    "waiting": "silent",
    "stalled": "silent",
    "muted": "muted",
    "clipping": "clipping",
    "drifting": "drifting",
}


def state_of_sound(health: Health) -> tuple[State, str]:
    """Return how a source is whose sound arrives, and why.

    That it is well again after an outage it will say too, but the sound says so first.
    """
    if health.condition in ("waiting", "stalled"):
        return "listening", ""
    return STATE_OF[health.condition], health.reason
