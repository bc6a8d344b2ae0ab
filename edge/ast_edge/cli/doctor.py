"""Try everything that a configuration needs, from the microphone to a subscriber of the broker."""

import argparse
import logging
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from ast_edge.base.printable import printable


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `doctor` to the sub-commands."""
    parser = commands.add_parser(
        "doctor",
        help="find out why nothing arrives",
        description=__doc__,
        epilog="example: ast-edge doctor --config mic.yaml",
    )
    parser.add_argument("--config", type=Path, required=True, help="the configuration (YAML)")
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    """Print one line for each step, with a remedy where it fails; 1 if one does."""
    from ast_edge.base.secret_values import masked
    from ast_edge.doctor.examination import examine

    logging.basicConfig(level=logging.CRITICAL)  # the findings say it all
    console, status = Console(highlight=False), 0
    for finding in examine(args.config):
        mark = "[green]ok  [/]" if finding.well else "[red]FAIL[/]"
        line = f"{mark} [bold]{finding.step}[/]  {escape(printable(masked(finding.text)))}"
        console.print(line, soft_wrap=True)
        if finding.remedy:
            console.print(f"     → {escape(printable(masked(finding.remedy)))}", soft_wrap=True)
        status = status or (0 if finding.well else 1)
    return status
