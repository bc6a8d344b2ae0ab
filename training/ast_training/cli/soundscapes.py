"""Compose soundscapes of a recipe's recordings, with their annotations, and a sheet to look at.

By default of the recordings that nothing was chosen by, for `ast-edge evaluate`. With `--events 0`
they are rooms in which nothing is to be heard: background noise of all sources in turn, and sounds
without a label.
"""

import argparse
from pathlib import Path

from ast_training.cli.recipe_option import add_recipe, recipe_of
from ast_training.data.clip_list import SPLITS


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `soundscapes` to the sub-commands."""
    parser = commands.add_parser(
        "soundscapes",
        help="compose annotated recordings to evaluate on",
        description=__doc__,
        epilog="example: ast-train soundscapes --config configs/train/home.yaml --out data/scenes",
    )
    add_recipe(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="to write")
    parser.add_argument("--minutes", type=int, default=60, help="recordings of a minute (60)")
    parser.add_argument("--events", type=float, default=6.0, help="mean number in a minute (6)")
    parser.add_argument("--others", type=float, default=2.0, help="sounds without a label (2)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--split", choices=SPLITS, default="test", help="recordings to take (test)")
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    """Compose, and say what was written."""
    from ast_training.data.recordings import read_recordings
    from ast_training.measure.evidence import check_test_split, say_few
    from ast_training.run.training_data import open_composer
    from ast_training.soundscapes.scenes import write_scenes
    from ast_training.soundscapes.sheet import write_sheet

    recipe = recipe_of(args)
    if args.split == "test":
        evidence = check_test_split(recipe, read_recordings(recipe.pack_set))
        if few := say_few(evidence.labels):
            print(few)
    if not args.events:  # a room without its noise is none
        always = recipe.soundscapes.model_copy(update={"background": 1.0})
        recipe = recipe.model_copy(update={"soundscapes": always})
    composer = open_composer(recipe, args.split)
    wanted = recipe.wanted or list(recipe.labels)
    annotations = write_scenes(
        composer,
        args.out,
        {n: name for n, name in enumerate(recipe.labels) if name in wanted},
        minutes=args.minutes,
        events=args.events,
        others=args.others,
        seed=args.seed,
    )
    sheet = write_sheet(annotations, args.out / "sheet.png")
    noise = composer.backgrounds
    print(
        f"{annotations}: {args.minutes} recordings of a minute ({args.minutes / 60:.1f} h); "
        f"background noise of {len({one.group for one in noise.recordings})} sources "
        f"({noise.seconds / 60:.1f} min); look at {sheet}"
    )
    return 0
