"""Proof that a graph says what the trained model says."""

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ast_edge.engines.agreement import LIMITS
from ast_edge.engines.choice import open_engine
from ast_edge.engines.config import EngineConfig
from ast_edge.engines.engine import Engine, Scores
from ast_edge.model.bundle import Bundle
from ast_export.recordings import Labelled

if TYPE_CHECKING:
    from ast_export.compression import Storage

Probabilities = NDArray[np.float32]

STORAGE_LIMITS = {"fp32": 0.0, "fp16": 1e-2, "int8": 5e-2}
"""The same for weights that are stored with fewer bits; the wider of both counts."""
MAP_LIMIT = 0.002
"""Largest change of the mean average precision on labelled recordings."""
MERGING_MAP_LIMIT = 0.01
"""The same where tokens are merged, which is asked for and changes the model."""
BATCH = 16
"""Windows at a time, as many as a large model has memory for."""
RUNS = {
    "fp32": (("onnxruntime", "fp32"), ("openvino", "fp32"), ("openvino", "bf16")),
    "fp16": (("onnxruntime", "auto"), ("openvino", "fp32"), ("openvino", "bf16")),
    "int8": (("onnxruntime", "auto"), ("openvino", "fp32"), ("openvino", "bf16")),
}
"""Engines and their settings by the precision of the graph."""


@dataclass(frozen=True)
class Parity:
    """How far one engine is from PyTorch in float32."""

    engine: str
    precision: str
    largest: float
    """Largest difference in probability over all windows and labels."""
    mean: float
    top1: float
    """Share of windows with the same first label."""
    top5: float
    """Mean share of the five first labels that are the same; of fewer labels, all but one."""
    not_finite: int
    """Answers that are no number."""
    limit: float
    map: float | None = None
    """Mean average precision of this engine on the labelled recordings, if there were any."""
    map_change: float | None = None
    """Its difference to that of PyTorch."""
    frame: float | None = None
    """Largest difference in probability over all steps, if the bundle has frame scores."""
    map_limit: float = MAP_LIMIT

    @property
    def holds(self) -> bool:
        """Whether all differences are within the limits; NaN is not."""
        near = self.largest <= self.limit and not self.not_finite
        frame_near = self.frame is None or self.frame <= self.limit
        return near and frame_near and abs(self.map_change or 0.0) <= self.map_limit


def split(windows: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Cut windows into batches."""
    return np.split(windows, range(BATCH, len(windows), BATCH))


def engine_scores(engine: Engine, windows: NDArray[np.float32]) -> Scores:
    """Return what an engine says of windows (n, frames, mels)."""
    batches = [engine.run(batch) for batch in split(windows)]
    frames = [batch.frame for batch in batches if batch.frame is not None]
    clip = np.concatenate([batch.clip for batch in batches])
    return Scores(clip, np.concatenate(frames) if frames else None)


def compare(
    bundle: Bundle,
    expected: Scores,
    windows: NDArray[np.float32],
    storage: "Storage",
    labelled: Labelled | None = None,
) -> list[Parity]:
    """Run a bundle through every engine and hold its answers against the `expected` ones.

    An engine that has no arithmetic of its own for what is asked, as a processor without bf16,
    takes another, and is compared in that once. With `labelled`, the windows are those of its
    recordings.
    """
    reports: dict[tuple[str, str], Parity] = {}
    for name, precision in RUNS[bundle.precision]:
        config = EngineConfig.model_validate({"name": name, "precision": precision})
        with closing(open_engine(bundle, config)) as engine:
            if (engine.name, engine.precision) in reports:
                continue
            found = engine_scores(engine, windows)
        limit = max(LIMITS[bundle.precision], LIMITS[engine.precision], STORAGE_LIMITS[storage])
        report = difference(engine, expected, found, limit, labelled)
        reports[engine.name, engine.precision] = report
    return list(reports.values())


def merging_parity(whole: Scores, merged: Scores, labelled: Labelled | None = None) -> Parity:
    """Measure what merging tokens has changed of a model; both are PyTorch's answers.

    No single probability is held to a limit, for that is what was asked for; but the quality is,
    where there are labels to tell it.
    """
    limits = {"limit": 1.0, "map_limit": MERGING_MAP_LIMIT}
    return _parity("pytorch", "merged", whole, merged, labelled, **limits)


def difference(
    engine: Engine,
    expected: Scores,
    found: Scores,
    limit: float,
    labelled: Labelled | None = None,
) -> Parity:
    """Measure how far the answers of an engine are from the expected ones."""
    return _parity(engine.name, engine.precision, expected, found, labelled, limit=limit)


def _parity(
    name: str,
    precision: str,
    expected: Scores,
    found: Scores,
    labelled: Labelled | None,
    *,
    limit: float,
    map_limit: float = MAP_LIMIT,
) -> Parity:
    away = np.abs(found.clip - expected.clip)
    not_finite = int((~np.isfinite(found.clip)).sum())
    quality = change = frame = None
    if labelled and not not_finite:
        quality = labelled.mean_average_precision(found.clip)
        change = quality - labelled.mean_average_precision(expected.clip)
    if found.frame is not None and expected.frame is not None:
        frame = float(np.abs(found.frame - expected.frame).max())
        not_finite += int((~np.isfinite(found.frame)).sum())
    return Parity(
        engine=name,
        precision=precision,
        largest=float(away.max()),
        mean=float(away.mean()),
        top1=agreement(expected.clip, found.clip, 1),
        top5=agreement(expected.clip, found.clip, 5),
        not_finite=not_finite,
        limit=limit,
        map=quality,
        map_change=change,
        frame=frame,
        map_limit=map_limit,
    )


def agreement(expected: Probabilities, found: Probabilities, first: int) -> float:
    """Return the mean share of the `first` labels that both name, in any order."""
    first = min(first, max(1, expected.shape[1] - 1))  # all labels are always the same ones
    ranks = [np.argsort(-scores, axis=1, kind="stable")[:, :first] for scores in (expected, found)]
    same = [len(set(a) & set(b)) for a, b in zip(*ranks, strict=True)]
    return float(np.mean(same) / first)
