"""Takes that `ast-edge enrol` asks for at a microphone."""

import contextlib
import threading
from collections.abc import Generator
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from rich.console import Console
from rich.live import Live
from rich.text import Text

from ast_edge.audio.level import FLOOR_DBFS, Level, measure
from ast_edge.base.errors import AudioError
from ast_edge.enrolment.errors import EnrolmentError
from ast_edge.enrolment.take import Take, make_take
from ast_edge.enrolment.take_recorder import TakeRecorder
from ast_edge.frontend.fbank import FbankSpec
from ast_edge.frontend.resampler import Resampler
from ast_edge.sources.devices import find_input, list_inputs
from ast_edge.sources.microphone import MicrophoneSource

PATIENCE = 30.0
"""Seconds that a sound is waited for."""
_WIDTH = 40


def record_takes(device: str, count: int, spec: FbankSpec, keep: Path | None) -> list[Take]:
    """Ask for so many takes at a microphone and return them.

    They are written to the folder `keep`, if there is one, and nowhere else.

    Raises:
        AudioError: if there is no such microphone.
        EnrolmentError: if no sound is heard, or what is kept cannot be written.
    """
    found = find_input(device, list_inputs())
    source = MicrophoneSource("enrol", found.name)
    console, takes = Console(highlight=False), list[Take]()
    heard = _takes(source, spec, console, count)
    with contextlib.closing(heard):
        for samples in heard:
            name = f"take {len(takes) + 1}"
            takes.append(make_take(name, samples, spec))
            peak = measure(samples).peak
            console.print(f"{name}: {takes[-1].seconds:.1f} s, peak {peak:.0f} dBFS")
            if peak > -0.5:
                console.print("  too loud for the microphone: go further away, or turn it down")
            if keep:
                _write(keep, len(takes), samples, spec.sample_rate)
    return takes


def _takes(
    source: MicrophoneSource, spec: FbankSpec, console: Console, count: int
) -> Generator[NDArray[np.float32]]:
    """Yield so many takes (samples,)."""
    recorder, resampler = TakeRecorder(spec.sample_rate), None
    meter, stream = _Meter(console), None
    timer = _ask(console, source, 1, count)
    done = 0
    try:
        with meter:
            for block in source.blocks():
                if block.stream is not stream:  # a gap
                    stream = block.stream
                    resampler = Resampler(stream.sample_rate, stream.channels, spec.sample_rate)
                    recorder.reset()
                assert resampler
                take = recorder.feed(resampler.feed(block.samples))
                meter.show(measure(block.samples), hears=recorder.hears)
                if take is None:
                    continue
                timer.cancel()
                yield take
                done += 1
                if done == count:
                    return
                recorder.reset()
                timer = _ask(console, source, done + 1, count)
    finally:
        timer.cancel()
        source.close()
    raise EnrolmentError(
        f"take {done + 1}: nothing was heard for {PATIENCE:.0f} s: is it the right microphone, and "
        "does the sound reach it? `ast-edge devices --meter` shows its level"
    )


def _ask(console: Console, source: MicrophoneSource, number: int, count: int) -> threading.Timer:
    console.print(f"[bold]take {number} of {count}[/]: a second of quiet, then the sound, once")
    timer = threading.Timer(PATIENCE, source.close)
    timer.daemon = True
    timer.start()
    return timer


def _write(folder: Path, number: int, samples: NDArray[np.float32], rate: int) -> None:
    """Write a take under the next name that is free."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / f"take-{number}.flac"
        while path.exists():
            number += 1
            path = folder / f"take-{number}.flac"
        path.touch(mode=0o600)  # as clips are: sound of a home
        soundfile.write(path, samples, rate)
    except (OSError, soundfile.LibsndfileError) as exc:
        raise AudioError(f"{folder}: cannot be written: {exc}") from exc


class _Meter(contextlib.AbstractContextManager["_Meter"]):
    """The level as a bar on a terminal; nothing elsewhere."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._shows = console.is_terminal

    def __enter__(self) -> "_Meter":
        if self._shows:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._shows:
            self._live.stop()

    def show(self, level: Level, *, hears: bool) -> None:
        if self._shows:
            filled = round((1 - level.rms / FLOOR_DBFS) * _WIDTH)
            bar = "█" * filled + "─" * (_WIDTH - filled)
            text = Text(f"{bar} {level.rms:6.1f} dBFS  {'hears it' if hears else 'waits'}")
            text.stylize("green" if hears else "cyan", 0, _WIDTH)
            self._live.update(text, refresh=True)
