"""List the recipes and studies that come with ast-train, or copy them to where they can be changed.

Paths in them are relative to their files: copied to `configs/train`, they look for data in `data`
and for the weights of others in `pretrained`, both in the working folder.
"""

import argparse
from pathlib import Path

from ast_training.recipe.shipped import PLACE


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `recipes` to the sub-commands."""
    parser = commands.add_parser(
        "recipes",
        help="list the recipes and studies that come with it, or copy them",
        description=__doc__,
        epilog=f"example: ast-train recipes --out {PLACE}",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="copy them there; files that are there stay"
    )
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    """Print every file with what its first comment says, or copy all."""
    from ast_training.recipe.shipped import copy_recipes, shipped_recipes

    if args.out:
        written = copy_recipes(args.out)
        print(f"{args.out}: {len(written)} files written; those that were there are as they were")
        return 0
    folder = shipped_recipes()
    paths = [*sorted(folder.glob("*.yaml")), *sorted(folder.glob("studies/*.yaml"))]
    for path in paths:
        first = path.read_text("utf-8").partition("\n")[0]
        print(f"{path.relative_to(folder)!s:34}{first.removeprefix('#').strip()}")
    return 0
