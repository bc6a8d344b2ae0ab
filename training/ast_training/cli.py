"""The command `ast-train`."""

import argparse
import logging
import os
import sys
from pathlib import Path

from ast_edge.errors import AstError


def main(argv: list[str] | None = None) -> int:
    """Run one sub-command and return its exit status (0, or one of sysexits.h)."""
    parser = argparse.ArgumentParser(prog="ast-train", description=__doc__)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    fit = commands.add_parser(
        "fit",
        help="train a model by a recipe",
        description="Train a model by a recipe, or go on where its run stopped.",
        epilog="example: ast-train fit --config configs/train/home.yaml",
    )
    fit.add_argument("--config", type=Path, required=True, help="the recipe (YAML)")
    fit.add_argument("--run", type=Path, help="folder of the run (runs/<name of the recipe>)")
    fit.add_argument("--threads", type=int, help="CPU threads (all)")
    fit.set_defaults(command=_fit)
    calibrate = commands.add_parser(
        "calibrate",
        help="find each label's threshold",
        description="Find each label's threshold on the recipe's held-out recordings and store it "
        "in the checkpoint, for the bundle that is made of it.",
        epilog="example: ast-train calibrate runs/home/best.safetensors "
        "--config configs/train/home.yaml",
    )
    calibrate.add_argument("checkpoint", type=Path)
    calibrate.add_argument("--config", type=Path, required=True, help="the recipe (YAML)")
    calibrate.set_defaults(command=_calibrate)
    args = parser.parse_args(argv)
    logging.basicConfig(format="%(levelname)s %(message)s", level=logging.INFO)
    try:
        return int(args.command(args))
    except AstError as exc:
        print(f"ast-train: {exc}", file=sys.stderr)
        return exc.exit_code
    except ModuleNotFoundError as exc:
        print(
            f"ast-train: {exc.name} is missing; pip install 'ast-edge[training]'", file=sys.stderr
        )
        return os.EX_UNAVAILABLE
    except KeyboardInterrupt:
        print("ast-train: stopped; the same command goes on from here", file=sys.stderr)
        return 130


def _fit(args: argparse.Namespace) -> int:
    import torch
    from rich.console import Console

    from ast_training.fit import fit
    from ast_training.recipe import load_recipe

    if args.threads:
        torch.set_num_threads(args.threads)
    recipe = load_recipe(args.config)
    run = args.run or Path("runs") / recipe.name
    best = fit(recipe, run, Console())
    print(f"{run / 'best.safetensors'}: macro AP {best:.3f}")
    return 0


def _calibrate(args: argparse.Namespace) -> int:
    from ast_training.calibration import calibrate
    from ast_training.recipe import load_recipe

    thresholds = calibrate(args.checkpoint, load_recipe(args.config))
    for label, threshold in thresholds.items():
        print(f"{threshold:.3f}  {label}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
