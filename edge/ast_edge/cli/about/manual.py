"""Print the manual page of all commands; on a terminal it is shown by `man`."""

import argparse
import shutil
import subprocess
import sys

from ast_edge import __version__


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `manual` to the sub-commands."""
    parser = commands.add_parser(
        "manual",
        help="show the manual page of all commands",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="examples:\n"
        "  ast-edge manual\n"
        "  ast-edge manual > ~/.local/share/man/man1/ast-edge.1",
    )
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    """Print the page in roff, or let `man` show it."""
    from ast_edge.cli.about.man_page import man_page
    from ast_edge.cli.main import command_line

    page = man_page(command_line(), __version__)
    if sys.stdout.isatty() and shutil.which("man"):
        return subprocess.run(["man", "-l", "-"], input=page, text=True, check=False).returncode
    print(page, end="")
    return 0
