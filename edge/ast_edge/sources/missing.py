"""What keeps a process from a microphone: no card, no device node, no right, no sound server."""

import errno
import grp
import os
from pathlib import Path

from ast_edge.sources.devices import InputDevice
from ast_edge.sources.pulse_source import ServerFault, list_pulse_sources

_CARDS = Path("/proc/asound")
_NODES = Path("/dev/snd")
_RULE = "--volume /dev/snd:/dev/snd --device-cgroup-rule 'c 116:* rw'"


_BRIDGES = ("pulse", "default", "pipewire", "jack", "oss")
"""Devices of ALSA that are there whether or not a microphone stands behind them."""


def has_microphone(device: InputDevice) -> bool:
    """Tell whether a device is more than a way to a sound server that may have none."""
    return device.name not in _BRIDGES


def what_is_missing(cards: Path = _CARDS, nodes: Path = _NODES) -> str:
    """Say in one line why there is no microphone, and what to do."""
    return f"{_of_alsa(cards, nodes)}; {_of_server()}"


def _of_alsa(cards: Path, nodes: Path) -> str:
    try:
        recorders = [x for x in (cards / "pcm").read_text().splitlines() if "capture" in x]
    except OSError:
        recorders = []
    if not recorders:
        return "ALSA has no card that records: is a microphone plugged in?"
    found = sorted(nodes.glob("pcmC*c")) if nodes.is_dir() else []
    if not found:
        return (
            f"there is a card that records, but {nodes} is not here: a container needs {_RULE}, "
            "and the group audio"
        )
    refused = [path for path in found if not os.access(path, os.R_OK | os.W_OK)]
    if refused:
        return (
            f"user {os.geteuid()} may not open {refused[0]}: it needs the group "
            f"{_group(refused[0])} (usermod -aG, SupplementaryGroups= or --group-add)"
        )
    for path in sorted(nodes.glob("controlC*")):
        try:
            os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
        except OSError as exc:
            if exc.errno == errno.EPERM:  # rights would be EACCES
                return f"{path} is forbidden to this container: it needs {_RULE}"
            return f"{path} cannot be opened: {exc.strerror}"
    return "ALSA's cards can be opened, but none has given a microphone"


def _of_server() -> str:
    server = os.environ.get("PULSE_SERVER") or "its usual place"
    try:
        sources = list_pulse_sources()
    except ServerFault as exc:
        return f"PulseAudio or PipeWire at {server}: {exc}"
    if not sources:
        return f"the sound server at {server} has no microphone"
    names = ", ".join(source.name for source in sources)
    return f"the sound server at {server} has {names}"


def _group(path: Path) -> str:
    number = path.stat().st_gid
    try:
        return f"{grp.getgrgid(number).gr_name} ({number})"
    except KeyError:
        return str(number)
