"""Measure a checkpoint on held-out clips: a report to read, and the same figures as JSON."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ast_training.model.checkpoint import Checkpoint
    from ast_training.recipe.recipe import Recipe


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `evaluate` to the sub-commands."""
    parser = commands.add_parser(
        "evaluate",
        help="measure a checkpoint and write a report",
        description=__doc__,
        epilog="example: ast-train evaluate runs/esc10/best.safetensors",
    )
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--config", type=Path, help="the recipe (the one in the checkpoint)")
    parser.add_argument(
        "--split",
        action="append",
        choices=["train", "validation", "test"],
        help="clips to measure on (those the recipe evaluates on)",
    )
    parser.add_argument("--out", type=Path, help="folder for the report (beside the checkpoint)")
    parser.add_argument("--threads", type=int, help="CPU threads (all)")
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    """Write report.html, metrics.json and the predictions, and print the headline figures."""
    import torch

    from ast_training.base.processes import join_processes
    from ast_training.measure.metrics import measure
    from ast_training.model.checkpoint import load_checkpoint
    from ast_training.report.page import write_json, write_report
    from ast_training.run.folder import RunFolder
    from ast_training.run.log import read_rows
    from ast_training.run.training_data import open_evaluation
    from ast_training.study.results import Result, markdown_table

    if args.threads:
        torch.set_num_threads(args.threads)
    checkpoint = load_checkpoint(args.checkpoint)
    recipe = _recipe(args, checkpoint)
    held_out = open_evaluation(recipe, args.split)
    with join_processes() as processes:
        predictions = held_out.predict(checkpoint.build().to(processes.device), processes)
    if not processes.main:
        return 0
    metrics = measure(predictions)
    out = args.out or args.checkpoint.with_suffix("")
    out.mkdir(parents=True, exist_ok=True)
    predictions.save(out / "predictions.safetensors")
    title = f"{recipe.name}, {args.checkpoint.stem}"
    curves = read_rows(RunFolder(args.checkpoint.parent).metrics)
    details = _details(args, checkpoint, recipe)
    write_json(
        out / "metrics.json",
        title=title,
        predictions=predictions,
        metrics=metrics,
        curves=curves,
        details=details,
    )
    write_report(
        out / "report.html",
        title=title,
        predictions=predictions,
        metrics=metrics,
        curves=curves,
        details=details,
        spectrogram=held_out.fbank,
    )
    print(markdown_table([Result.of(args.checkpoint.stem, metrics)]))
    print(f"wrote {out / 'report.html'}")
    return 0


def _recipe(args: argparse.Namespace, checkpoint: "Checkpoint") -> "Recipe":
    from ast_edge.base.errors import ConfigError
    from ast_edge.base.yaml_file import parse_tree
    from ast_training.recipe.recipe import Recipe, load_recipe
    from ast_training.run.state import check_made_by

    if args.config:
        recipe = load_recipe(args.config)
        check_made_by(recipe, checkpoint, args.checkpoint)
        return recipe
    if not checkpoint.recipe:
        raise ConfigError(f"{args.checkpoint}: holds no recipe; give --config")
    # The paths in it were relative to the working directory of the training.
    return parse_tree(checkpoint.recipe, Recipe, Path("recipe of the checkpoint"))


def _details(
    args: argparse.Namespace, checkpoint: "Checkpoint", recipe: "Recipe"
) -> dict[str, str]:
    import datetime
    import platform

    return {
        "checkpoint": args.checkpoint.name,
        "recipe": recipe.name,
        "epochs": str(checkpoint.epoch),
        "clips": ", ".join(args.split or ["those the recipe evaluates on"]),
        "date": datetime.date.today().isoformat(),
        "machine": f"{platform.system()} {platform.machine()}",
        **checkpoint.provenance,
    }
