"""Clip-level figures of a model on the recordings that nothing was chosen by."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ast_training.base.processes import Processes
from ast_training.data.audio_cache import AudioCache, decoded_folder
from ast_training.data.recordings import Recording
from ast_training.measure.bootstrap import macro_interval, resample_aps
from ast_training.measure.evidence import FEW
from ast_training.measure.metrics import measure
from ast_training.measure.validation import ValidationSet
from ast_training.model.network import AudioSpectrogramTransformer
from ast_training.recipe.recipe import Recipe

MEASURED_ON = "measured_on"
"""Says of a checkpoint's metrics what they were measured on: "test", or "validation", which chose
the epoch."""
RESAMPLED = "resampled_aps"
"""Of the average precisions of labels in resamples among a checkpoint's metrics."""


def measure_on_test(
    model: AudioSpectrogramTransformer, recipe: Recipe, test: Sequence[Recording]
) -> dict[str, Any]:
    """Measure the model on recordings as they are, each figure with its interval (95 %).

    Of each label also count the sources, and mark it if they are few. What the labels' figures are
    in resamples is kept, so that the interval of the mean can follow when labels are left out.
    """
    folder = decoded_folder(recipe.loop.decoded)
    cache = AudioCache(test, recipe.fbank_spec.sample_rate, folder)
    predictions = ValidationSet(cache, recipe).predict(model, Processes(torch.device("cpu")))
    metrics = measure(predictions).as_dict()
    sources = [one.group for one in cache.recordings]
    resampled = resample_aps(predictions.targets, predictions.scores(), sources, predictions.known)
    for column, label in enumerate(predictions.labels):
        count = int(resampled.sources[column])
        metrics["labels"][label] |= {
            "interval": _rounded(resampled.interval(column)),
            "sources": count,
            "few_sources": count < FEW,
        }
    return metrics | {
        MEASURED_ON: "test",
        "macro_ap_interval": _rounded(resampled.macro_interval()),
        "sources": len(set(sources)),
        RESAMPLED: {
            label: [None if np.isnan(ap) else round(float(ap), 4) for ap in aps]
            for label, aps in zip(predictions.labels, resampled.aps.T, strict=True)
        },
    }


def interval_of_mean(metrics: dict[str, Any], names: Sequence[str]) -> list[float] | None:
    """Return where the mean AP of these labels lies with 95 %; None if that was not measured."""
    kept = [metrics[RESAMPLED][name] for name in names if name in metrics.get(RESAMPLED, {})]
    if not kept:
        return None
    aps: NDArray[np.float64] = np.array(kept, np.float64).T  # None becomes NaN
    return _rounded(macro_interval(aps))


def _rounded(interval: tuple[float, float] | None) -> list[float] | None:
    return None if interval is None else [round(bound, 4) for bound in interval]
