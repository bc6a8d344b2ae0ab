"""What the commands share on a terminal: options and log lines."""

import argparse
import atexit
import contextlib
import logging
import sys
from typing import TYPE_CHECKING

from ast_edge.base.log_format import (
    JournalFormatter,
    JsonFormatter,
    PlainFormatter,
    RepeatFilter,
    SecretFilter,
    goes_to_the_journal,
)

if TYPE_CHECKING:
    from rich.console import Console

    from ast_edge.engines.engine import Engine
    from ast_edge.model.bundle import Bundle


def log_to_stderr(*, verbose: bool = False, as_json: bool = False) -> None:
    """Send log lines to standard error, as whoever reads it there likes them.

    On a terminal with the time; for the journal, which adds its own, with priorities; as JSON if
    that is asked for. What is repeated is written once a minute.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_formatter(as_json=as_json))

    def emit(record: logging.LogRecord) -> None:
        with handler.lock or contextlib.nullcontext():
            handler.emit(record)

    repeats = RepeatFilter(emit)
    handler.addFilter(SecretFilter())
    handler.addFilter(repeats)
    atexit.register(repeats.flush)
    level = logging.DEBUG if verbose else logging.INFO
    logging.basicConfig(handlers=[handler], level=level)


def _formatter(*, as_json: bool) -> logging.Formatter:
    if goes_to_the_journal():
        return JournalFormatter(JsonFormatter() if as_json else PlainFormatter("%(message)s"))
    if as_json:
        return JsonFormatter()
    if sys.stderr.isatty():
        return PlainFormatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")
    return PlainFormatter("%(levelname)s %(message)s")


def stdout_console() -> "Console":
    """Return where tables are printed, wide enough for them where it is no terminal."""
    from rich.console import Console

    console = Console(highlight=False)
    if console.is_terminal:
        return console
    return Console(file=sys.stdout, width=120, highlight=False)


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose a model without a configuration file."""
    parser.add_argument(
        "--bundle", default="home", help="a shipped bundle's name or a folder (home)"
    )
    parser.add_argument(
        "--engine",
        default="auto",
        choices=["auto", "tensorrt", "openvino", "onnxruntime"],
        help="(auto)",
    )
    parser.add_argument("--hop", type=hop, default=0.5, help="seconds between looks (0.5)")


def add_source_option(parser: argparse.ArgumentParser) -> None:
    """Add the option that chooses a source of the configuration."""
    parser.add_argument(
        "--source",
        metavar="NAME",
        help="listen as to this source of the configuration; needed where sources differ",
    )


def open_model(args: argparse.Namespace) -> "tuple[Bundle, Engine]":
    """Open the model that the options choose.

    Raises:
        BundleError, ConfigError, EngineError: if it cannot be used, or not with this hop.
    """
    from ast_edge.engines.choice import open_engine
    from ast_edge.engines.config import EngineConfig

    bundle = chosen_bundle(args)
    return bundle, open_engine(bundle, EngineConfig(name=args.engine))


def chosen_bundle(args: argparse.Namespace) -> "Bundle":
    """Load the bundle that the options choose.

    Raises:
        BundleError, ConfigError: if it cannot be used, or not with this hop.
    """
    from ast_edge.detection.hearing import check_hop
    from ast_edge.model.bundle import find_bundle, load_bundle

    bundle = load_bundle(find_bundle(args.bundle))
    check_hop(bundle, args.hop)
    return bundle


def hop(text: str) -> float:
    """Read the seconds between two looks."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.05 <= seconds <= 10:
        raise argparse.ArgumentTypeError(f"expected 0.05 to 10 seconds, got {text}")
    return seconds


def non_negative(text: str) -> float:
    """Read a number of seconds."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"expected seconds, 0 or more, got {text}")
    return seconds
