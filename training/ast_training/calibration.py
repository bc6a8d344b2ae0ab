"""Thresholds for a trained model, from the recordings it was not trained on."""

from dataclasses import replace
from pathlib import Path

import torch

from ast_training.checkpoint import load_checkpoint
from ast_training.metrics import measure
from ast_training.processes import Processes
from ast_training.recipe import Recipe
from ast_training.recordings import AudioCache, read_recordings
from ast_training.state import check_made_by
from ast_training.validation import ValidationSet

FALSE_SHARE = 0.0005
"""Share of the windows without a label that may reach its threshold."""
LOWEST, HIGHEST = 0.4, 0.95


def calibrate(path: Path, recipe: Recipe) -> dict[str, float]:
    """Store a threshold per label, and the current metrics, in the checkpoint at `path`.

    Raises:
        BundleError: if it is no checkpoint of ours.
        ConfigError: if it was not made by the recipe.
    """
    checkpoint = load_checkpoint(path)
    check_made_by(recipe, checkpoint, path)
    held_out = [r for r in read_recordings(recipe) if r.split != "train" and r.role == "events"]
    validation = ValidationSet(AudioCache(held_out, recipe.fbank_spec.sample_rate), recipe)
    model, alone = checkpoint.build(), Processes(torch.device("cpu"))
    thresholds = validation.thresholds(model, FALSE_SHARE, LOWEST, HIGHEST)
    metrics = measure(validation.predict(model, alone)).as_dict() | {
        "thresholds": thresholds,
        "calibration": f"at most {FALSE_SHARE:.2%} of the held-out windows without the label "
        f"reach its threshold, which lies between {LOWEST} and {HIGHEST}",
    }
    replace(checkpoint, metrics=metrics).save(path)
    return thresholds
