"""What the commands share on a terminal: options and log lines."""

import argparse
import logging
import sys
from pathlib import Path


def log_to_stderr(*, verbose: bool = False) -> None:
    """Send log lines to standard error, with the time unless the journal adds its own."""
    plain = "%(levelname)s %(message)s"
    stamped = "%(asctime)s %(levelname)-7s %(message)s"
    logging.basicConfig(
        stream=sys.stderr,
        format=stamped if sys.stderr.isatty() else plain,
        datefmt="%H:%M:%S",
        level=logging.DEBUG if verbose else logging.INFO,
    )


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose a model without a configuration file."""
    parser.add_argument(
        "--bundle", default="home", help="a shipped bundle's name or a folder (home)"
    )
    parser.add_argument(
        "--engine", default="auto", choices=["auto", "openvino", "onnxruntime"], help="(auto)"
    )
    parser.add_argument("--hop", type=float, default=0.5, help="seconds between looks (0.5)")


def add_files(parser: argparse.ArgumentParser) -> None:
    """Add the argument for recordings."""
    parser.add_argument("files", metavar="FILE", type=Path, nargs="+", help="WAV, FLAC, OGG or MP3")
