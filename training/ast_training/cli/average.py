"""Average the weights of several epochs of a run (paper, section 3.1)."""

import argparse
import re
from pathlib import Path


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `average` to the sub-commands."""
    parser = commands.add_parser(
        "average",
        help="average the weights of epochs",
        description=__doc__,
        epilog="example: ast-train average runs/audioset-balanced --epochs 6-25",
    )
    parser.add_argument("run", type=Path, help="folder of the run")
    parser.add_argument("--epochs", type=_span, required=True, metavar="FIRST-LAST")
    parser.add_argument(
        "--out", type=Path, help="the checkpoint to write (RUN/average-FIRST-LAST.safetensors)"
    )
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    """Write the averaged checkpoint."""
    from ast_training.run.averaging import average_epochs
    from ast_training.run.folder import RunFolder

    folder = RunFolder(args.run)
    first, last = args.epochs
    out = args.out or folder.path / f"average-{first:03d}-{last:03d}.safetensors"
    average_epochs(folder, first, last).save(out)
    print(f"wrote {out}")
    return 0


def _span(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([0-9]+)-([0-9]+)", text)
    if not match or int(match[1]) > int(match[2]):
        raise argparse.ArgumentTypeError(f"expected FIRST-LAST, such as 6-25, got {text!r}")
    return int(match[1]), int(match[2])
