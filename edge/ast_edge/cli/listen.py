"""Show the loudness and the most likely labels live, to see what a microphone hears."""

import argparse
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ast_edge.audio.level import FLOOR_DBFS, Level, measure
from ast_edge.cli.terminal import add_model_options, log_to_stderr, open_model

if TYPE_CHECKING:
    from ast_edge.audio.stream import Source
    from ast_edge.engines.engine import Engine
    from ast_edge.model.bundle import Bundle


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `listen` to the sub-commands."""
    parser = commands.add_parser(
        "listen",
        help="show live what a microphone hears",
        description=__doc__,
        epilog="example: ast-edge listen --microphone usb",
    )
    parser.add_argument("--microphone", default="default", help="an input device (default)")
    parser.add_argument("--file", type=Path, help="play a recording instead")
    parser.add_argument("--top", type=int, default=8, help="labels to show (8)")
    add_model_options(parser)
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    """Show labels and level until Ctrl-C or the end of the file."""
    from ast_edge.sources.microphone import MicrophoneSource
    from ast_edge.sources.recording import RecordingSource

    log_to_stderr()
    bundle, engine = open_model(args)
    source = (
        RecordingSource("listen", args.file)
        if args.file
        else MicrophoneSource("listen", args.microphone)
    )
    with contextlib.suppress(KeyboardInterrupt):
        show_heard(source, bundle, engine, args.hop, top=args.top)
    return 0


def show_heard(
    source: "Source",
    bundle: "Bundle",
    engine: "Engine",
    hop: float,
    *,
    top: int = 8,
    seconds: float = float("inf"),
    until: Callable[[], bool] = lambda: False,
    hint: str = "Ctrl-C ends",
) -> dict[str, float]:
    """Show labels and level for so many seconds of sound; return the highest scores."""
    from ast_edge.frontend.listener import Listener
    from ast_edge.frontend.listening import Listening

    listener = Listener(Listening(bundle.fbank, bundle.frames, hop))
    names, heard, left = [label.name for label in bundle.labels], dict[str, float](), seconds
    with _View(Console(highlight=False), top, hint) as view, contextlib.closing(source):
        for block in source.blocks():
            view.level = measure(block.samples)
            for window in listener.feed(block):
                probabilities, _ = next(engine.run(window.fbank[np.newaxis]).each())
                view.scores = dict(zip(names, probabilities.tolist(), strict=True))
                heard = {
                    name: max(score, heard.get(name, 0)) for name, score in view.scores.items()
                }
                view.line()
            view.draw()
            left -= len(block.samples) / block.stream.sample_rate
            if left <= 0 or until():
                break
    return heard


class _View(contextlib.AbstractContextManager["_View"]):
    """Bars on a terminal; elsewhere one plain line per hop."""

    def __init__(self, console: Console, top: int, hint: str) -> None:
        self.level = Level()
        self.scores: dict[str, float] = {}
        self._console = console
        self._top, self._hint = top, hint
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None

    def __enter__(self) -> "_View":
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def line(self) -> None:
        if not self._live:
            likely = "  ".join(f"{name} {score:.2f}" for name, score in self._likely()[:3])
            print(f"{self.level.rms:6.1f} dBFS  {likely}", flush=True)

    def draw(self) -> None:
        if self._live:
            table = Table.grid(padding=(0, 1))
            rms = self.level.rms
            table.add_row("level", _bar(1 - rms / FLOOR_DBFS, "cyan"), f"{rms:.1f} dBFS")
            for name, score in self._likely():
                style = "green" if score >= 0.5 else "blue"
                table.add_row(name, _bar(score, style), f"{score:.2f}")
            self._live.update(Group(table, Text(self._hint, style="dim")), refresh=True)

    def _likely(self) -> list[tuple[str, float]]:
        return sorted(self.scores.items(), key=lambda item: -item[1])[: self._top]


def _bar(share: float, style: str, width: int = 40) -> Text:
    filled = round(max(0.0, min(1.0, share)) * width)
    return Text.assemble(("█" * filled, style), ("─" * (width - filled), "dim"))
