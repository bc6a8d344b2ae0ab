"""Proof that a graph says what the trained model says."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ast_edge.bundle import load_bundle
from ast_edge.config import EngineConfig
from ast_edge.engine import open_engine
from ast_edge.fbank import fbank
from ast_training.model import AudioSpectrogramTransformer
from ast_training.recordings import read_audio
from ast_training.validation import windows_of

LIMITS = {"f32": 1e-4, "bf16": 3e-2}
"""Largest difference in probability that a graph with float32 weights may show, per precision."""
HALF_WEIGHTS_LIMIT = 1e-2
"""The same for float16 weights."""
RUNS = (("onnxruntime", "f32"), ("openvino", "f32"), ("openvino", "bf16"))


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
    with torch.inference_mode():
        expected = model.probabilities(torch.from_numpy(windows)).numpy()
    reports = []
    for engine, precision in RUNS:
        config = EngineConfig.model_validate({"name": engine, "precision": precision})
        found = open_engine(bundle, config).run(windows).clip
        difference = np.abs(found - expected)
        reports.append(
            Parity(
                engine=engine,
                precision=precision,
                largest=float(difference.max()),
                mean=float(difference.mean()),
                top1=float((found.argmax(axis=1) == expected.argmax(axis=1)).mean()),
                limit=max(LIMITS[precision], HALF_WEIGHTS_LIMIT if halved else 0.0),
            )
        )
    return reports


def audio_windows(folder: Path, bundle_folder: Path, most: int = 256) -> NDArray[np.float32]:
    """Cut the recordings of a folder into windows for a bundle (n, frames, mels)."""
    bundle = load_bundle(bundle_folder)
    windows: list[NDArray[np.float32]] = []
    paths = (p for p in sorted(folder.rglob("*")) if p.suffix in (".wav", ".flac", ".ogg"))
    for path in paths:
        features = fbank(read_audio(path, bundle.fbank.sample_rate), bundle.fbank)
        windows += windows_of(features, bundle.model.frames, bundle.model.frames)
        if len(windows) >= most:
            break
    return np.stack(windows[:most])
