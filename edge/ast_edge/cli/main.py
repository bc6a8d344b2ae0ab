"""Detect sound events with an Audio Spectrogram Transformer and publish them over MQTT."""

import argparse
import os
import sys

from ast_edge import __version__
from ast_edge.base.errors import AstError
from ast_edge.base.printable import printable
from ast_edge.base.secret_values import hide_in_tracebacks
from ast_edge.cli import (
    bundle,
    check,
    devices,
    doctor,
    enrol,
    evaluate,
    install_service,
    listen,
    replay,
    run,
    status,
    tag,
    tune,
)
from ast_edge.cli.about import completion, manual, support, version
from ast_edge.cli.any_text import allow_any_text
from ast_edge.cli.archive import archive
from ast_edge.cli.fleet import fleet
from ast_edge.cli.setup import setup

COMMANDS = (
    setup,
    run,
    status,
    check,
    doctor,
    devices,
    bundle,
    enrol,
    listen,
    tag,
    replay,
    archive,
    evaluate,
    tune,
    fleet,
    install_service,
    support,
    version,
    completion,
    manual,
)


def command_line() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(prog="ast-edge", description=__doc__)
    parser.add_argument("--version", action="version", version=f"ast-edge {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add_parser(commands)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run one sub-command and return its exit status (0, or one of sysexits.h)."""
    allow_any_text()
    hide_in_tracebacks()
    args = command_line().parse_args(argv)
    try:
        return int(args.command(args))
    except AstError as exc:
        print(f"ast-edge: {printable(str(exc))}", file=sys.stderr)
        return exc.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `ast-edge replay … | head`
        # What is still buffered would fail once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
