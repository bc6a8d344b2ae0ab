"""Let a recipe's teachers listen to its background noise, and write down what they hear in it.

What a label stands for must not be a background without anybody knowing: it would teach that speech
is none, and measure as a false alarm what is right. Read what is written before you use it (as
`may_table` of the packs): a row too many costs a background, a wrong name in a row is to be taken
out.
"""

import argparse
from pathlib import Path

from ast_training.cli.recipe_option import add_recipe, recipe_of

SURE = 0.3
"""Low: a background too few costs less than speech that is taught to be none."""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `listen` to the sub-commands."""
    parser = commands.add_parser(
        "listen",
        help="let teachers say what sounds in background noise",
        description=__doc__,
        epilog="example: ast-train listen --config configs/train/home.yaml --out heard.csv",
    )
    add_recipe(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="CSV to write")
    parser.add_argument(
        "--sure",
        type=float,
        default=SURE,
        help=f"probability of which all teachers must be in some half second ({SURE:g})",
    )
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    """Listen, and say in how many recordings something was heard.

    Raises:
        ConfigError: if the recipe has no teachers, or no background noise.
    """
    from ast_edge.base.errors import ConfigError
    from ast_training.data.audio_cache import AudioCache, decoded_folder
    from ast_training.data.recordings import read_recordings
    from ast_training.teacher.config import open_teachers
    from ast_training.teacher.grid import RATE
    from ast_training.teacher.overheard import overhear, write_overheard

    recipe = recipe_of(args)
    noise = [r for r in read_recordings(recipe.pack_set) if r.role == "background"]
    if not recipe.teachers or not noise:
        missing = "packs with role: background" if recipe.teachers else "teachers"
        raise ConfigError(f"{args.config}: expected {missing}, got none: there is nothing to do")
    cache = AudioCache(noise, RATE, decoded_folder(recipe.loop.decoded))
    teachers = [open_teachers([one]) for one in recipe.teachers]
    folders = {name: pack.audio for name, pack in recipe.packs.items()}
    labels = set(recipe.wanted or recipe.labels)
    rows = [one for one in overhear(cache, folders, teachers, labels, args.sure) if one.labels]
    write_overheard(args.out, rows)
    print(f"{args.out}: something is heard in {len(rows)} of {len(cache)} recordings")
    return 0
