"""Average weights: those of several epochs of a run (paper, section 3.1), or of checkpoints.

The mean of a checkpoint and of what was trained from it further often keeps what the first knew
and has most of what the second learnt (Wortsman et al. 2022, arXiv 2109.01903).
"""

import argparse
import re
from pathlib import Path

from ast_edge.base.errors import ConfigError


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `average` to the sub-commands."""
    parser = commands.add_parser(
        "average",
        help="average the weights of epochs, or of checkpoints",
        description=__doc__,
        epilog="example: ast-train average runs/audioset-balanced --epochs 6-25",
    )
    parser.add_argument(
        "sources",
        type=Path,
        nargs="+",
        metavar="SOURCE",
        help="folder of the run, or checkpoints; one that is named twice counts twice",
    )
    parser.add_argument("--epochs", type=_span, metavar="FIRST-LAST", help="of the run")
    parser.add_argument(
        "--out", type=Path, help="the checkpoint to write (RUN/average-FIRST-LAST.safetensors)"
    )
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    """Write the averaged checkpoint.

    Raises:
        ConfigError: there is no telling what is to be averaged, or where it belongs.
    """
    from ast_training.run.averaging import average_checkpoints, average_epochs
    from ast_training.run.folder import RunFolder

    sources, out = args.sources, args.out
    if args.epochs is None:
        if len(sources) == 1 or out is None:
            raise ConfigError(
                "expected the folder of a run with --epochs, or two checkpoints and more with --out"
            )
        mean = average_checkpoints(sources)
    else:
        if len(sources) > 1:
            raise ConfigError(f"--epochs: expected the folder of one run, got {len(sources)} paths")
        folder = RunFolder(sources[0])
        first, last = args.epochs
        out = out or folder.path / f"average-{first:03d}-{last:03d}.safetensors"
        mean = average_epochs(folder, first, last)
    mean.save(out)
    print(f"wrote {out}")
    return 0


def _span(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([0-9]+)-([0-9]+)", text)
    if not match or int(match[1]) > int(match[2]):
        raise argparse.ArgumentTypeError(f"expected FIRST-LAST, such as 6-25, got {text!r}")
    return int(match[1]), int(match[2])
