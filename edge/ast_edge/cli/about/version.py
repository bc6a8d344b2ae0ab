"""Print the version; --verbose prints what a bug report needs to know of this machine as well."""

import argparse

from ast_edge import __version__
from ast_edge.base.printable import printable


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `version` to the sub-commands."""
    parser = commands.add_parser(
        "version",
        help="print the version, and with --verbose what a bug report needs",
        description=__doc__,
        epilog="example: ast-edge version --verbose",
    )
    parser.add_argument(
        "--verbose", action="store_true", help="system, processor, libraries, engines, programs"
    )
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    """Print one line, or one for each part."""
    print(version_text() if args.verbose else f"ast-edge {__version__}")
    return 0


def version_text() -> str:
    """Return all versions, a line for each part."""
    from ast_edge.cli.about.versions import versions

    return "\n".join(f"{name:12}{printable(text)}" for name, text in versions())
