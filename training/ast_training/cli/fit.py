"""Train a model by a recipe, or go on where its run stopped."""

import argparse
from pathlib import Path

from ast_training.cli.recipe_option import add_recipe, recipe_of


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `fit` to the sub-commands."""
    parser = commands.add_parser(
        "fit",
        help="train a model by a recipe",
        description=__doc__,
        epilog="example: ast-train fit --config configs/train/home.yaml --set optimizer.lr=2e-4",
    )
    add_recipe(parser)
    parser.add_argument("--out", type=Path, help="folder of the run (runs/<name of the recipe>)")
    parser.add_argument("--threads", type=int, help="CPU threads (all)")
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    """Train, and print where the best checkpoint is."""
    import torch
    from rich.console import Console

    from ast_training.run.fit import fit
    from ast_training.run.folder import RunFolder

    if args.threads:
        torch.set_num_threads(args.threads)
    recipe = recipe_of(args)
    folder = RunFolder(args.out or Path("runs") / recipe.name)
    console = Console(markup=False, soft_wrap=True)  # paths stay as they are
    fit(recipe, folder, console)
    console.print(f"{folder.best}: the best by {recipe.select}")
    if recipe.average:
        first, last = recipe.average
        console.print(f"{folder.average}: epochs {first} to {last} averaged")
    return 0
