"""Fit each label's probability to how often it is right, on sounds that the recipe holds out.

Stored in the checkpoint beside the weights, with the average precision of every label on the
recordings for testing. The bundle that is made of it is calibrated, if that
brings probabilities of yet other recordings closer to the truth. Thresholds are not chosen here:
`ast-edge tune` does that, with the bundle.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ast_training.cli.recipe_option import add_recipe, recipe_of

if TYPE_CHECKING:
    from ast_training.run.calibration import Fitted


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `calibrate` to the sub-commands."""
    parser = commands.add_parser(
        "calibrate",
        help="make probabilities mean what they say",
        description=__doc__,
        epilog="example: ast-train calibrate runs/home/best.safetensors "
        "--config configs/train/home.yaml",
    )
    parser.add_argument("checkpoint", type=Path)
    add_recipe(parser)
    parser.add_argument(
        "--windows", type=int, default=4000, help="to compose and fit on, and to test on (4000)"
    )
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    """Calibrate, and print what was fitted and what it did to the calibration error."""
    from rich.console import Console
    from rich.table import Table

    from ast_edge.base.errors import ConfigError
    from ast_training.measure.evidence import say_few
    from ast_training.model.checkpoint import load_checkpoint
    from ast_training.run.calibration import calibrate

    if args.windows < 1:
        raise ConfigError(f"--windows: expected one or more, got {args.windows}")
    calibration = calibrate(args.checkpoint, recipe_of(args), args.windows)
    table = Table(box=None, pad_edge=False)
    table.add_column("label")
    for heading in ("sources", "clip", "ECE", "step", "ECE"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, label in calibration.labels.items():
        table.add_row(name, str(label.sources), *_cells(label.clip), *_cells(label.frame))
    console = Console(highlight=False, markup=False)
    console.print(table)
    before, after = calibration.errors
    console.print(
        f"mean calibration error on other sources {before:.4f} without, {after:.4f} with it: "
        + ("exported with it" if calibration.helps else "exported without it"),
        soft_wrap=True,
    )
    metrics = load_checkpoint(args.checkpoint).metrics
    low, high = metrics["macro_ap_interval"]
    console.print(
        f"macro AP {metrics['macro_ap']:.3f} ({low:.3f} to {high:.3f}, 95 %) on "
        f"{metrics['recordings']} test recordings of {metrics['sources']} sources",
        soft_wrap=True,
    )
    if few := say_few({name: one["sources"] for name, one in metrics["labels"].items()}):
        console.print(few, soft_wrap=True)
    console.print(f"wrote {args.checkpoint}", soft_wrap=True)
    return 0


def _cells(fitted: "Fitted | None") -> tuple[str, str]:
    if fitted is None:
        return "", ""
    error = "" if fitted.ece is None else f"{fitted.ece[0]:.3f} to {fitted.ece[1]:.3f}"
    return f"{fitted.platt.slope:.2f} z {fitted.platt.offset:+.2f}", error
