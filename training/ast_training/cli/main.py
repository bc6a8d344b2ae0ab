"""Train Audio Spectrogram Transformers, average and combine them, and say how good they are."""

import argparse
import logging
import os
import sys

from ast_edge import __version__
from ast_edge.base.errors import AstError
from ast_edge.base.log_format import SecretFilter
from ast_edge.base.secret_values import hide_in_tracebacks
from ast_edge.cli.any_text import allow_any_text
from ast_training.cli import (
    ablate,
    average,
    calibrate,
    ensemble,
    evaluate,
    export_hf,
    fit,
    import_,
    listen,
    prepare,
    push,
    recipes,
    soundscapes,
)

COMMANDS = (
    prepare,
    import_,
    fit,
    evaluate,
    average,
    ensemble,
    ablate,
    calibrate,
    export_hf,
    push,
    listen,
    soundscapes,
    recipes,
)


def main(argv: list[str] | None = None) -> int:
    """Run one sub-command and return its exit status (0, or one of sysexits.h)."""
    allow_any_text()
    hide_in_tracebacks()
    parser = argparse.ArgumentParser(prog="ast-train", description=__doc__)
    parser.add_argument("--version", action="version", version=f"ast-train {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add_parser(commands)
    args = parser.parse_args(argv)
    logging.basicConfig(format="%(levelname)s %(message)s", level=logging.INFO)
    for client in ("httpx", "httpx2"):  # of the Hub: a line for every request
        logging.getLogger(client).setLevel(logging.WARNING)
    for handler in logging.getLogger().handlers:
        handler.addFilter(SecretFilter())
    try:
        return int(args.command(args))
    except AstError as exc:
        print(f"ast-train: {exc}", file=sys.stderr)
        return exc.exit_code
    except OSError as exc:  # a folder that cannot be made, a file in its place
        print(f"ast-train: {exc.filename or ''}: {exc.strerror or exc}", file=sys.stderr)
        return os.EX_IOERR
    except ModuleNotFoundError as exc:
        print(
            f"ast-train: {exc.name} is missing; pip install 'ast-edge[training]'", file=sys.stderr
        )
        return os.EX_UNAVAILABLE
    except KeyboardInterrupt:
        print("ast-train: stopped; the same command goes on from here", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
