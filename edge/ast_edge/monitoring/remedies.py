"""What to do about a source or a broker that is not well, for all who give advice."""

from typing import Literal

from ast_edge.audio.level import FLOOR_DBFS

CLIPPING_DBFS = -0.1
QUIET_DBFS = -75.0
"""Below any room: a microphone that is muted, or not plugged into its socket."""

# fmt: off
Ailment = Literal[
    "zeros", "quiet", "clips", "absent", "busy", "unreachable", "slow", "broker",
]
# fmt: on
REMEDIES: dict[Ailment, str] = {
    "zeros": "it delivers nothing but zeros: is it muted, or the wrong device?",
    "quiet": "it is quieter than any room: raise its capture volume (`alsamixer`)",
    "clips": "it clips: lower its capture volume (`alsamixer`)",
    "absent": "`ast-edge devices` lists what there is, and with a name shows its level",
    "busy": "is another program using it? A sound server lets several listen",
    "unreachable": "are the address, user and password right, and does it play elsewhere?",
    "slow": "use a longer hop, a smaller bundle, fewer sources or more threads",
    "broker": "is the broker running, and are mqtt.host, port, user and password right?",
}


def ailment_of_level(peak: float, gain_db: float) -> Ailment | None:
    """Tell what is wrong with a microphone of such a peak (dBFS before gain); None if nothing."""
    if peak <= FLOOR_DBFS:
        return "zeros"
    if peak + gain_db < QUIET_DBFS:
        return "quiet"
    return "clips" if peak >= CLIPPING_DBFS else None


def ailment_of_silence(complaint: str, *, microphone: bool) -> Ailment:
    """Tell what is wrong with a source that delivers nothing, and says why."""
    if not microphone:
        return "unreachable"
    return "busy" if "unavailable" in complaint or "busy" in complaint else "absent"
