"""Find each label's threshold on the recipe's held-out recordings, and store it in the checkpoint.

The bundle that is made of the checkpoint carries the thresholds.
"""

import argparse
from pathlib import Path


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `calibrate` to the sub-commands."""
    parser = commands.add_parser(
        "calibrate",
        help="find each label's threshold",
        description=__doc__,
        epilog="example: ast-train calibrate runs/home/best.safetensors "
        "--config configs/train/home.yaml",
    )
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--config", type=Path, required=True, help="the recipe (YAML)")
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    """Calibrate, and print the thresholds."""
    from ast_training.calibration import calibrate
    from ast_training.recipe import load_recipe

    for label, threshold in calibrate(args.checkpoint, load_recipe(args.config)).items():
        print(f"{threshold:.3f}  {label}")
    return 0
