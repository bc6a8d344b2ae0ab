"""Microphones of a sound server (PulseAudio, or PipeWire as one), by the names it gives them.

A container without cards of ALSA has these alone. ALSA's bridge knows the server's default only;
libpulse takes another by the variable PULSE_SOURCE, for the process that records.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from ast_edge.base.errors import AudioError
from ast_edge.sources.devices import PULSE, InputDevice

_PACTL = "pactl"
_TIMEOUT = 5.0
_LOOK_SECONDS = 5.0
"""Between two looks whether the microphone is still there."""
_BRIDGES = ("pulse", "default")
"""ALSA's names of what leads to the server."""


class ServerFault(Exception):
    """Why a sound server gives no list: it is not there, or `pactl` is not."""


def list_pulse_sources() -> tuple[InputDevice, ...]:
    """Return the server's microphones, without what other programs play (monitors).

    Raises:
        ServerFault: no server answers.
    """
    sources: list[InputDevice] = []
    for line in _ask("list", "short", "sources"):
        fields = line.split("\t")
        if len(fields) < 4 or fields[1].endswith(".monitor"):
            continue
        _, channels, rate = fields[3].split()  # such as "s16le 2ch 48000Hz"
        sources.append(
            InputDevice(
                index=len(sources),
                name=PULSE + fields[1],
                channels=int(channels.removesuffix("ch")),
                sample_rate=int(rate.removesuffix("Hz")),
                is_default=False,
            )
        )
    return tuple(sources)


def with_pulse_sources(inputs: Sequence[InputDevice], wanted: str = "") -> tuple[InputDevice, ...]:
    """Return PortAudio's inputs, and the server's where no card is among them or one is wanted.

    Of a card the server has no more to offer than ALSA has.
    """
    has_cards = any("(hw:" in device.name for device in inputs)
    if wanted == "default" or (has_cards and not wanted.startswith(PULSE)):
        return tuple(inputs)
    try:
        sources = list_pulse_sources()
    except ServerFault:
        return tuple(inputs)
    first = max((device.index + 1 for device in inputs), default=0)
    return (*inputs, *(replace(source, index=first + source.index) for source in sources))


def through_the_bridge(source: InputDevice, inputs: Sequence[InputDevice]) -> InputDevice:
    """Let this process record a source of the server; return it as PortAudio opens it.

    Raises:
        AudioError: ALSA has no bridge to a server here.
    """
    by_name = {device.name: device for device in reversed(inputs)}
    for bridge in _BRIDGES:
        if bridge in by_name:
            os.environ["PULSE_SOURCE"] = source.name.removeprefix(PULSE)
            return replace(source, index=by_name[bridge].index)
    raise AudioError(
        f"{source.name}: ALSA has no way to the sound server here; install libasound2-plugins"
    )


def watch(name: str, leave: Callable[[str], object]) -> None:
    """Call `leave` with the reason once the server has the source no more; never returns before.

    The server hands a recording whose microphone has gone on to another one, and says nothing.
    """
    while True:
        time.sleep(_LOOK_SECONDS)
        try:
            known = [source.name for source in list_pulse_sources()]
        except ServerFault as exc:
            leave(str(exc))
            return
        if PULSE + name not in known:
            leave(f"the sound server has no source {name!r} any more")
            return


def _ask(*question: str) -> list[str]:
    """Return the lines of an answer of `pactl`."""
    program = shutil.which(_PACTL)
    if program is None:
        raise ServerFault("pactl is not installed (pulseaudio-utils)")
    try:
        done = subprocess.run(
            [program, *question],
            env={**os.environ, "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_TIMEOUT,
        )
    except subprocess.TimeoutExpired as exc:
        raise ServerFault(f"the sound server has not answered for {_TIMEOUT:.0f} s") from exc
    except OSError as exc:
        raise ServerFault(f"{program} does not run: {exc.strerror}") from exc
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        reason = said[-1].removeprefix("Connection failure: ") if said else "without a word"
        raise ServerFault(f"no sound server answers ({reason})")
    return done.stdout.splitlines()
