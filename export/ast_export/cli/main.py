"""Turn trained models into bundles and engines, and prove that nothing was lost on the way."""

import argparse
import logging
import os
import sys

from ast_edge import __version__
from ast_edge.base.errors import AstError
from ast_edge.base.log_format import SecretFilter
from ast_edge.base.secret_values import hide_in_tracebacks
from ast_edge.cli.any_text import allow_any_text
from ast_export.cli import bench, embedding, onnx_, trt, verify

COMMANDS = (onnx_, embedding, trt, verify, bench)


def main(argv: list[str] | None = None) -> int:
    """Run one sub-command and return its exit status (0, or one of sysexits.h)."""
    allow_any_text()
    hide_in_tracebacks()
    parser = argparse.ArgumentParser(prog="ast-export", description=__doc__)
    parser.add_argument("--version", action="version", version=f"ast-export {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add_parser(commands)
    args = parser.parse_args(argv)
    logging.basicConfig(format="%(levelname)s %(message)s")  # libraries: warnings and worse
    for package in ("ast_edge", "ast_export"):
        logging.getLogger(package).setLevel(logging.INFO)
    for handler in logging.getLogger().handlers:
        handler.addFilter(SecretFilter())
    try:
        return int(args.command(args))
    except AstError as exc:
        print(f"ast-export: {exc}", file=sys.stderr)
        return exc.exit_code
    except OSError as exc:  # a folder that cannot be made, a file in its place
        print(f"ast-export: {exc.filename or ''}: {exc.strerror or exc}", file=sys.stderr)
        return os.EX_IOERR
    except ModuleNotFoundError as exc:
        print(f"ast-export: {exc.name} is missing; pip install 'ast-edge[export]'", file=sys.stderr)
        return os.EX_UNAVAILABLE
    except KeyboardInterrupt:
        print("ast-export: stopped; nothing was written", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
