"""Proof that a graph says what the trained model says."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ast_edge.bundle import load_bundle
from ast_edge.config import EngineConfig
from ast_edge.engine import open_engine
from ast_edge.errors import AudioError
from ast_edge.fbank import FbankSpec, fbank
from ast_training.datasets.decoding import AUDIO_SUFFIXES
from ast_training.model import AudioSpectrogramTransformer
from ast_training.recordings import read_audio
from ast_training.validation import windows_of

LIMITS = {"fp32": 1e-4, "bf16": 3e-2}
"""Largest difference in probability that a graph with float32 weights may show, per precision."""
HALF_WEIGHTS_LIMIT = 1e-2
"""The same for float16 weights."""
BATCH = 16
"""Windows at a time, as many as a large model has memory for."""
RUNS = (("onnxruntime", "fp32"), ("openvino", "fp32"), ("openvino", "bf16"))

log = logging.getLogger(__name__)


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
    limit: float

    @property
    def holds(self) -> bool:
        """Whether the difference is within the limit; NaN is not."""
        return self.largest <= self.limit


def compare(
    model: AudioSpectrogramTransformer, folder: Path, windows: NDArray[np.float32], halved: bool
) -> list[Parity]:
    """Run the bundle in `folder` on windows (n, frames, mels) through every engine."""
    bundle = load_bundle(folder)
    batches = np.split(windows, range(BATCH, len(windows), BATCH))
    with torch.inference_mode():
        outputs = [model.probabilities(torch.from_numpy(batch)).numpy() for batch in batches]
    expected = np.concatenate(outputs)
    reports = []
    for name, precision in RUNS:
        config = EngineConfig.model_validate({"name": name, "precision": precision})
        engine = open_engine(bundle, config)
        found = np.concatenate([engine.run(batch).clip for batch in batches])
        difference = np.abs(found - expected)
        reports.append(
            Parity(
                engine=name,
                precision=precision,
                largest=float(difference.max()),
                mean=float(difference.mean()),
                top1=float((found.argmax(axis=1) == expected.argmax(axis=1)).mean()),
                limit=max(LIMITS[precision], HALF_WEIGHTS_LIMIT if halved else 0.0),
            )
        )
    return reports


def audio_windows(
    folder: Path, spec: FbankSpec, frames: int, most: int = 256
) -> NDArray[np.float32]:
    """Cut the recordings of a folder into windows (n, frames, mels).

    Recordings that cannot be used are named in the log and left out.

    Raises:
        AudioError: if there is none that can be used.
    """
    windows: list[NDArray[np.float32]] = []
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in AUDIO_SUFFIXES):
        try:
            features = fbank(read_audio(path, spec.sample_rate), spec)
        except AudioError as exc:
            log.warning("left out: %s", exc)
            continue
        windows += windows_of(features, frames, frames)
        if len(windows) >= most:
            break
    if not windows:
        raise AudioError(
            f"{folder}: expected recordings to compare on "
            f"({', '.join(sorted(AUDIO_SUFFIXES))}), found none that can be used"
        )
    return np.stack(windows[:most])
