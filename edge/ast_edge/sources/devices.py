"""The input devices of this machine."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ast_edge.base.errors import AudioError

PULSE = "pulse:"
"""What the names of a sound server's microphones begin with."""
_LIST_TIMEOUT = 20.0
_ALSA_CARDS = Path("/proc/asound")


@dataclass(frozen=True)
class InputDevice:
    """A device that sound can be recorded from."""

    index: int
    """Number in PortAudio's list, which those of a sound server follow; changes when devices come
    and go."""
    name: str
    channels: int
    """The most it can record at once."""
    sample_rate: int
    """Its own rate in hertz."""
    is_default: bool


def list_inputs() -> tuple[InputDevice, ...]:
    """Return the inputs as they are now, those of a sound server where ALSA has no card.

    Another process looks, because PortAudio keeps the list it made first, prints to standard error
    what nobody asked, and can hang in a sound server that hangs.

    Raises:
        AudioError: PortAudio is missing, or does not answer.
    """
    command = [sys.executable, "-m", "ast_edge.sources.capture", "--list"]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_LIST_TIMEOUT,
            cwd="/",
        )
    except subprocess.TimeoutExpired as exc:
        raise AudioError(
            f"the sound system has not answered for {_LIST_TIMEOUT:.0f} s; "
            "restart the sound server (PulseAudio or PipeWire)"
        ) from exc
    if done.returncode < 0:  # as it does without any configuration of ALSA
        raise AudioError(
            f"PortAudio has crashed (signal {-done.returncode}) instead of listing the devices; "
            "is ALSA installed completely (libasound2-data on Debian)?"
        )
    if done.returncode != 0:
        reason = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
        raise AudioError(reason[-1])
    return tuple(InputDevice(**device) for device in json.loads(done.stdout))


def to_json(devices: Sequence[InputDevice]) -> str:
    """Return the devices as a JSON list of objects."""
    return json.dumps([asdict(device) for device in devices])


def query_inputs() -> tuple[InputDevice, ...]:
    """Return the inputs as PortAudio found them when this process first asked.

    Raises:
        AudioError: PortAudio is missing or fails.
    """
    try:
        import sounddevice  # loads the PortAudio library and starts it
    except OSError as exc:
        raise AudioError(
            f"expected the PortAudio library, got {exc}; "
            "install it: the package is libportaudio2 on Debian, Ubuntu and Raspberry Pi OS"
        ) from exc
    try:
        found, default = sounddevice.query_devices(), sounddevice.default.device[0]
    except sounddevice.PortAudioError as exc:
        raise AudioError(f"the sound system gives no list of devices: {exc}") from exc
    return tuple(
        InputDevice(
            index=device["index"],
            name=device["name"],
            channels=device["max_input_channels"],
            sample_rate=round(device["default_samplerate"]),
            is_default=device["index"] == default,
        )
        for device in found
        if device["max_input_channels"] > 0
    )


def find_input(
    wanted: str, inputs: Sequence[InputDevice], *, cards: Path = _ALSA_CARDS
) -> InputDevice:
    """Return the input that `wanted` means.

    `wanted` is "default", a number of the list, a name, a part of exactly one name in upper or
    lower case, or an ALSA id such as "hw:1,0" or "hw:CARD=Device,DEV=0". A sound server's
    microphones are found by a part of their names where no other has it.

    Raises:
        AudioError: none fits, or several do.
    """
    if not inputs:
        raise AudioError("expected a microphone, got no input device at all; is one plugged in?")
    chosen = [
        *(device for device in inputs if wanted == "default" and device.is_default),
        *(device for device in inputs if wanted in (device.name, str(device.index))),
    ]
    if chosen:
        return chosen[0]
    part = _alsa_address(wanted, cards).casefold()
    chosen = [device for device in inputs if part in device.name.casefold()]
    chosen = [device for device in chosen if not device.name.startswith(PULSE)] or chosen
    if len(chosen) == 1:
        return chosen[0]
    if chosen:
        names = ", ".join(repr(device.name) for device in chosen)
        raise AudioError(f"{wanted!r} is part of several input devices: {names}; give more of it")
    names = ", ".join(repr(device.name) for device in inputs)
    raise AudioError(f"no input device is named {wanted!r}; there are {names}")


def _alsa_address(wanted: str, cards: Path) -> str:
    """Turn an ALSA id into what PortAudio puts into names, "(hw:1,0)"; leave the rest alone."""
    kind, colon, address = wanted.partition(":")
    if kind not in ("hw", "plughw") or not colon:
        return wanted
    card, _, device = address.replace("CARD=", "").replace("DEV=", "").partition(",")
    link = cards / card  # /proc/asound/Device points to card1
    if link.is_symlink():
        card = link.readlink().name.removeprefix("card")
    return f"(hw:{card},{device or '0'})"
