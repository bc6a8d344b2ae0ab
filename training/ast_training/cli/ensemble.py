"""Combine models by the mean of their probabilities, and measure each and all together.

Either checkpoints that are there, or a study, whose members are trained first.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ast_training.model.checkpoint import Checkpoint
    from ast_training.recipe.recipe import Recipe


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `ensemble` to the sub-commands."""
    parser = commands.add_parser(
        "ensemble",
        help="combine models, or train and combine them",
        description=__doc__,
        epilog="examples: ast-train ensemble --config configs/train/studies/ensemble-s.yaml; "
        "ast-train ensemble a.safetensors b.safetensors --recipe configs/train/home.yaml",
    )
    parser.add_argument("checkpoints", nargs="*", type=Path, metavar="CHECKPOINT")
    parser.add_argument("--config", type=Path, help="the study (YAML)")
    parser.add_argument("--recipe", type=Path, help="the recipe whose clips measure checkpoints")
    parser.add_argument(
        "--split",
        action="append",
        choices=["train", "validation", "test"],
        help="clips to measure on (those the recipe evaluates on)",
    )
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where runs lie (runs)")
    parser.add_argument("--threads", type=int, help="CPU threads (all)")
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    """Print the table of all members and ensembles."""
    import torch

    from ast_edge.base.errors import ConfigError

    if args.threads:
        torch.set_num_threads(args.threads)
    if bool(args.checkpoints) == (args.config is not None):
        raise ConfigError("expected either checkpoints or --config, not both and not neither")
    if args.config and (args.recipe or args.split):
        raise ConfigError("a study says itself what it is measured on: leave --recipe and --split")
    if args.config:
        return run_config(args.config, args.runs)
    if len(args.checkpoints) < 2:
        raise ConfigError(f"expected two checkpoints or more, got only {args.checkpoints[0]}")
    if args.recipe is None:
        raise ConfigError("expected --recipe: its clips are what the checkpoints are measured on")
    return _combine(args.checkpoints, args.recipe, args.split)


def run_config(config: Path, runs: Path) -> int:
    """Train and measure all members of a study, and print and store its table."""
    from rich.console import Console

    from ast_training.base.atomic_file import atomic_file
    from ast_training.base.processes import join_processes
    from ast_training.study.study import load_study
    from ast_training.study.study_results import run_study, study_table

    study = load_study(config)
    with join_processes() as processes:
        results = run_study(study, runs, Console())
    if not processes.main:
        return 0
    table = study_table(study, results, runs)
    with atomic_file(runs / study.config.name / "table.md") as partial:
        partial.write_text(table, encoding="utf-8")
    print(f"\n{study.config.title or study.config.name}\n\n{table}")
    return 0


def _combine(checkpoints: list[Path], config: Path, splits: list[str] | None) -> int:
    from ast_training.base.processes import join_processes
    from ast_training.measure.metrics import measure
    from ast_training.measure.predictions import ensemble
    from ast_training.model.checkpoint import load_checkpoint
    from ast_training.recipe.recipe import load_recipe
    from ast_training.run.training_data import open_evaluation
    from ast_training.study.results import Result, markdown_table

    recipe = load_recipe(config)
    for path in checkpoints:  # all of them, before the first is measured
        _check_comparable(recipe, load_checkpoint(path), path)
    held_out = open_evaluation(recipe, splits)
    with join_processes() as processes:
        members = [
            held_out.predict(load_checkpoint(path).build().to(processes.device), processes)
            for path in checkpoints
        ]
    if not processes.main:
        return 0
    rows = [
        Result.of(str(path), measure(member))
        for path, member in zip(checkpoints, members, strict=True)
    ]
    print(markdown_table([*rows, Result.of("ensemble", measure(ensemble(members)))]))
    return 0


def _check_comparable(recipe: "Recipe", checkpoint: "Checkpoint", path: Path) -> None:
    """Refuse a checkpoint that the recipe's clips cannot measure; its network may be another."""
    from ast_edge.base.errors import ConfigError

    pairs = {
        "labels": (list(recipe.labels), [label.name for label in checkpoint.labels]),
        "front end": (recipe.fbank_spec, checkpoint.fbank),
        "window": (recipe.model.frames, checkpoint.model.frames),
        "activation": (recipe.model_spec.activation, checkpoint.model.activation),
    }
    other = [name for name, (wanted, found) in pairs.items() if wanted != found]
    if other:
        raise ConfigError(
            f"{path}: does not have the {' and '.join(other)} of the recipe {recipe.name!r}: "
            "combine models that were trained for the same clips"
        )
