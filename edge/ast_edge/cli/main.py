"""Detect sound events with an Audio Spectrogram Transformer and publish them over MQTT."""

import argparse
import os
import sys
from importlib import import_module

from ast_edge import __version__
from ast_edge.base.errors import AstError
from ast_edge.base.printable import printable
from ast_edge.base.secret_values import hide_in_tracebacks
from ast_edge.cli.any_text import allow_any_text

COMMANDS = {
    "setup": "setup.setup",
    "run": "run",
    "status": "status",
    "check": "check",
    "doctor": "doctor",
    "devices": "devices",
    "bundle": "bundle",
    "enrol": "enrol",
    "listen": "listen",
    "tag": "tag",
    "replay": "replay",
    "archive": "archive.archive",
    "evaluate": "evaluate",
    "tune": "tune",
    "fleet": "fleet.fleet",
    "install-service": "install_service",
    "support": "about.support",
    "version": "about.version",
    "completion": "about.completion",
    "manual": "about.manual",
}
"""Commands in the order of the help, and their modules in `ast_edge.cli`."""


def command_line(called: str | None = None) -> argparse.ArgumentParser:
    """Return the parser of the command that is called, or of all.

    Only its module is loaded then: what others need takes longer than `status` has to do.
    """
    parser = argparse.ArgumentParser(prog="ast-edge", description=__doc__)
    parser.add_argument("--version", action="version", version=f"ast-edge {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name in [called] if called in COMMANDS else COMMANDS:
        import_module(f"ast_edge.cli.{COMMANDS[name]}").add_parser(commands)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run one sub-command and return its exit status (0, or one of sysexits.h)."""
    allow_any_text()
    hide_in_tracebacks()
    given = sys.argv[1:] if argv is None else argv
    args = command_line(given[0] if given else None).parse_args(given)
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
