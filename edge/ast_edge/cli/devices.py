"""List the input devices, or show the level of one."""

import argparse
import contextlib
import sys
import threading
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ast_edge.audio.level import FLOOR_DBFS, Level, measure
from ast_edge.base.errors import AudioError
from ast_edge.sources.devices import InputDevice, find_input, list_inputs, to_json
from ast_edge.sources.microphone import MicrophoneSource
from ast_edge.sources.missing import has_microphone, what_is_missing

_EPILOG = """\
examples:
  ast-edge devices                        list the microphones
  ast-edge devices usb                    show the level of the one with "usb" in its name
  ast-edge devices --meter --seconds 10   the default one, for 10 s
"""
_BAR_WIDTH = 40


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `devices` to the sub-commands."""
    parser = commands.add_parser(
        "devices",
        help="list microphones, or show the level of one",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "device", nargs="?", help="show its level: a name, a part of it, or its number"
    )
    parser.add_argument("--meter", action="store_true", help="show the level of the default device")
    parser.add_argument("--seconds", type=float, help="end the meter by itself (else by Ctrl-C)")
    parser.add_argument("--json", action="store_true", help="list the devices as JSON")
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    """List the devices, or meter one until Ctrl-C."""
    inputs = list_inputs()
    if args.json:
        print(to_json(inputs))
        return 0
    if not inputs:
        raise AudioError(f"no input device: {what_is_missing()}")
    if args.device is None and not args.meter:
        _print_table(inputs)
        if not any(has_microphone(device) for device in inputs):
            print(f"ast-edge: no microphone behind them: {what_is_missing()}", file=sys.stderr)
        return 0
    device = find_input(args.device or "default", inputs)
    with contextlib.suppress(KeyboardInterrupt):
        meter(device, args.seconds)
    return 0


def _print_table(inputs: Sequence[InputDevice]) -> None:
    """Print a table on a terminal, plain lines elsewhere."""
    rows = [
        (
            "*" if device.is_default else "",
            str(device.index),
            device.name,
            str(device.channels),
            f"{device.sample_rate} Hz",
        )
        for device in inputs
    ]
    if not sys.stdout.isatty():
        for mark, index, name, channels, rate in rows:
            print(f"{mark:1} {index:>3}  {channels:>3} ch  {rate:>9}  {name}")
        return
    table = Table("", "no.", "name", "channels", "rate", box=box.SIMPLE, caption="* default")
    for row in rows:
        table.add_row(*map(Text, row))  # as Text: a name such as "[USB]" is no markup
    Console().print(table)


def meter(
    device: InputDevice, seconds: float | None, until: Callable[[], bool] = lambda: False
) -> None:
    """Show peak and RMS, ten times a second on a terminal, once a second elsewhere."""
    source = MicrophoneSource("meter", device.name)
    timer = threading.Timer(seconds, source.close) if seconds is not None else None
    console = Console()
    interval = 1 if console.is_terminal else 10  # blocks of 100 ms
    live = Live(console=console, auto_refresh=False) if console.is_terminal else None
    try:
        with live or contextlib.nullcontext():
            if timer is not None:
                timer.start()
            recent: list[NDArray[np.float32]] = []
            for block in source.blocks():
                if until():
                    break
                recent.append(block.samples)
                if len(recent) < interval:
                    continue
                now = measure(np.concatenate(recent))
                recent.clear()
                if live is None:
                    print(f"peak {now.peak:6.1f} dBFS  rms {now.rms:6.1f} dBFS", flush=True)
                else:
                    live.update(_gauge(device, now), refresh=True)
    finally:
        source.close()
        if timer is not None:
            timer.cancel()


def _gauge(device: InputDevice, now: Level) -> Text:
    """Draw the RMS as a bar and the peak as a mark on it."""
    filled, mark = (
        round((1 - dbfs / FLOOR_DBFS) * (_BAR_WIDTH - 1)) for dbfs in (now.rms, now.peak)
    )
    bar = Text("█" * filled + "─" * (_BAR_WIDTH - filled), style="green")
    bar = Text.assemble(bar[:mark], ("|", "red" if now.peak > -1 else "yellow"), bar[mark + 1 :])
    numbers = f"  peak {now.peak:6.1f} dBFS  rms {now.rms:6.1f} dBFS"
    return Text.assemble(device.name, "\n", bar, numbers, no_wrap=True, overflow="crop")
