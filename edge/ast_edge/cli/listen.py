"""Show the loudness and the most likely labels live, to see what a microphone hears."""

import argparse
import contextlib
from pathlib import Path

import numpy as np
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ast_edge.audio.level import FLOOR_DBFS, Level, measure
from ast_edge.cli.terminal import add_model_options, log_to_stderr, open_model


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
    from ast_edge.frontend.listener import Listener
    from ast_edge.frontend.listening import Listening
    from ast_edge.sources.microphone import MicrophoneSource
    from ast_edge.sources.recording import RecordingSource

    log_to_stderr()
    bundle, engine = open_model(args)
    source = (
        RecordingSource("listen", args.file)
        if args.file
        else MicrophoneSource("listen", args.microphone)
    )
    listener = Listener(Listening(bundle.fbank, bundle.frames, args.hop))
    console = Console(highlight=False)
    names, view = [label.name for label in bundle.labels], _View(console, args.top)
    with contextlib.suppress(KeyboardInterrupt), view:
        try:
            for block in source.blocks():
                view.level = measure(block.samples)
                for window in listener.feed(block):
                    probabilities, _ = next(engine.run(window.fbank[np.newaxis]).each())
                    view.scores = dict(zip(names, probabilities.tolist(), strict=True))
                    view.line()
                view.draw()
        finally:
            source.close()
    return 0


class _View(contextlib.AbstractContextManager["_View"]):
    """Bars on a terminal; elsewhere one plain line per hop."""

    def __init__(self, console: Console, top: int) -> None:
        self.level = Level()
        self.scores: dict[str, float] = {}
        self._console = console
        self._top = top
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
            self._live.update(Group(table, Text("Ctrl-C ends", style="dim")), refresh=True)

    def _likely(self) -> list[tuple[str, float]]:
        return sorted(self.scores.items(), key=lambda item: -item[1])[: self._top]


def _bar(share: float, style: str, width: int = 40) -> Text:
    filled = round(max(0.0, min(1.0, share)) * width)
    return Text.assemble(("█" * filled, style), ("─" * (width - filled), "dim"))
