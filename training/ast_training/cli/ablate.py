"""Repeat an ablation of the paper: train its variants and print them beside its figures."""

import argparse
import logging
from pathlib import Path

from ast_training.recipe.shipped import PLACE

STUDIES = PLACE / "studies"

log = logging.getLogger(__name__)


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `ablate` to the sub-commands."""
    parser = commands.add_parser(
        "ablate",
        help="repeat an ablation of the paper",
        description=__doc__,
        epilog="example: ast-train ablate overlap",
    )
    parser.add_argument(
        "study", help=f"a study in {STUDIES} (pretraining, pos-embed, overlap, …), or its file"
    )
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where runs lie (runs)")
    parser.add_argument("--threads", type=int, help="CPU threads (all)")
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    """Print the table of all variants."""
    import torch

    from ast_edge.base.errors import ConfigError
    from ast_edge.base.yaml_file import did_you_mean
    from ast_training.cli.ensemble import run_config

    if args.threads:
        torch.set_num_threads(args.threads)
    known = {path.stem: path for path in sorted(STUDIES.glob("*.yaml"))}
    if args.study not in known and not Path(args.study).is_file():
        known |= _shipped(args.study)
    path = known.get(args.study, Path(args.study))
    if not path.is_file():
        raise ConfigError(f"no study {args.study!r}{did_you_mean(args.study, list(known))}")
    return run_config(path, args.runs)


def _shipped(study: str) -> dict[str, Path]:
    """Return the studies that come with ast-train; if this is one, all recipes are put here."""
    from ast_training.recipe.shipped import copy_recipes, shipped_studies

    shipped = shipped_studies()
    if study in shipped and copy_recipes(PLACE):
        log.info("recipes and studies written to %s; they look for data in data/", PLACE)
    return {name: STUDIES / path.name for name, path in shipped.items()}
