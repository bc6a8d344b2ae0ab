"""Leaving labels out of a model: the others keep their scores to the last bit."""

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

from ast_edge.base.errors import ConfigError
from ast_edge.base.yaml_file import did_you_mean
from ast_training.measure.held_out_metrics import RESAMPLED, interval_of_mean
from ast_training.model.checkpoint import Checkpoint

HEADS = ("mlp_head.1.", "frame_head.1.")
"""Beginnings of the names of the parameters that have a row for each label."""


def leave_out(checkpoint: Checkpoint, names: Sequence[str]) -> Checkpoint:
    """Take the rows of these labels, given by name or machine id, out of the heads.

    Raises:
        ConfigError: if the model has no such label, or no other.
    """
    known = {key: label for label in checkpoint.labels for key in (label.name, label.mid) if key}
    for name in names:
        if name not in known:
            near = did_you_mean(name, [label.name for label in checkpoint.labels])
            raise ConfigError(f"--without {name!r}: the model has no such label{near}")
    out = {known[name].index for name in names}
    kept = [label for label in checkpoint.labels if label.index not in out]
    if not kept:
        raise ConfigError("--without leaves no label; expected at least one to remain")
    rows = [label.index for label in kept]
    return replace(
        checkpoint,
        model=replace(checkpoint.model, labels=len(kept)),
        labels=tuple(replace(label, index=index) for index, label in enumerate(kept)),
        weights={
            name: tensor[rows] if name.startswith(HEADS) else tensor
            for name, tensor in checkpoint.weights.items()
        },
        metrics=_metrics_of(checkpoint.metrics, {label.name for label in kept}),
    )


def wanted_alone(checkpoint: Checkpoint) -> Checkpoint:
    """Leave out what was learnt only beside the labels that the recipe wants."""
    wanted = checkpoint.recipe.get("wanted") or [label.name for label in checkpoint.labels]
    others = [label.name for label in checkpoint.labels if label.name not in wanted]
    return leave_out(checkpoint, others) if others else checkpoint


def _metrics_of(metrics: dict[str, Any], names: set[str]) -> dict[str, Any]:
    """Keep what was measured of the labels that remain, and average it anew."""
    if "labels" not in metrics:
        return metrics
    labels = {name: quality for name, quality in metrics["labels"].items() if name in names}
    measured = [quality["ap"] for quality in labels.values() if quality["ap"] is not None]
    average: dict[str, Any] = {"macro_ap": round(fmean(measured), 5)} if measured else {}
    if RESAMPLED in metrics:
        average["macro_ap_interval"] = interval_of_mean(metrics, list(labels))
    return metrics | {"labels": labels} | average
