"""Training runs of a small model, and what they left."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from ast_training.model.checkpoint import load_checkpoint
from ast_training.recipe.recipe import Recipe
from ast_training.run.fit import fit
from ast_training.run.folder import RunFolder
from ast_training.run.log import read_rows

AUGMENT = {"mixup": 0.5, "freq_mask": 24, "time_mask": 8, "roll": 4, "crop": "random"}


def changed(recipe: Recipe, **sections: Any) -> Recipe:
    """The recipe with some keys of some sections changed."""
    tree = recipe.model_dump(mode="json")
    for name, value in sections.items():
        tree[name] = (tree[name] or {}) | value if isinstance(value, dict) else value
    return type(recipe).model_validate(tree)


def train(recipe: Recipe, path: Path) -> RunFolder:
    """Train into a folder, or go on there."""
    run = RunFolder(path)
    fit(recipe, run, Console(file=io.StringIO()))
    return run


def losses_of(run: RunFolder) -> list[float]:
    """Read the loss of every epoch."""
    return [float(row["loss"]) for row in read_rows(run.metrics)]


def assert_same_run(run: RunFolder, golden: RunFolder, tolerance: float = 1e-6) -> None:
    """Compare losses, metrics, weights and state."""
    assert losses_of(run) == pytest.approx(losses_of(golden), abs=tolerance)
    found, wanted = load_checkpoint(run.last), load_checkpoint(golden.last)
    assert (found.epoch, found.metrics) == (wanted.epoch, wanted.metrics)
    for key, value in (wanted.weights | wanted.state).items():
        torch.testing.assert_close((found.weights | found.state)[key], value, rtol=0, atol=1e-6)


def write(recipe: Recipe, folder: Path) -> Path:
    """Write the recipe as a file (JSON is YAML)."""
    path = folder / "recipe.yaml"
    path.write_text(json.dumps(recipe.model_dump(mode="json")))
    return path


def command(config: Path, run: RunFolder) -> list[str]:
    """The same training as a command line."""
    return ["fit", "--config", str(config), "--out", str(run.path), "--threads", "1"]
