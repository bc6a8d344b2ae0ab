"""The recipe of a command: a file, and settings in place of its own."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ast_training.recipe.recipe import Recipe


def add_recipe(parser: argparse.ArgumentParser) -> None:
    """Add `--config` and `--set` to a command."""
    parser.add_argument("--config", type=Path, required=True, help="the recipe (YAML)")
    parser.add_argument(
        "--set",
        dest="settings",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="a setting in place of the recipe's, such as optimizer.lr=1e-4 (can be repeated); "
        "paths are relative to the recipe's file",
    )


def recipe_of(args: argparse.Namespace) -> "Recipe":
    """Read the recipe of a command line.

    Raises:
        ConfigError: if the file or a setting cannot be used.
    """
    from ast_training.recipe.recipe import load_recipe

    return load_recipe(args.config, args.settings)
