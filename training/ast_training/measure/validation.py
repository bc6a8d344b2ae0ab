"""Clip-level quality of a model on held-out recordings."""

import numpy as np
import torch
from numpy.typing import NDArray

from ast_edge.base.errors import ConfigError
from ast_edge.frontend.fbank import fbank
from ast_training.base.processes import Processes
from ast_training.data.audio_cache import AudioCache
from ast_training.measure.evaluation import infer
from ast_training.measure.predictions import Predictions
from ast_training.measure.windows import windows_of
from ast_training.model.network import AudioSpectrogramTransformer
from ast_training.recipe.recipe import Recipe

HOP_SECONDS = 1.0
"""Coarser than at the edge (0.5 s), for speed."""


class ValidationSet:
    """Held-out recordings as windows: a recording's score is the highest of its windows'."""

    def __init__(self, cache: AudioCache, recipe: Recipe) -> None:
        """Compute the features of all windows, kept as float16.

        Raises:
            ConfigError: if none of the recordings has a label.
        """
        self.labels = tuple(recipe.wanted or recipe.labels)
        self._columns = [list(recipe.labels).index(name) for name in self.labels]
        self._cache, self._spec = cache, recipe.fbank_spec
        self.names = tuple(f"{r.pack}/{r.path.name}" for r in cache.recordings)
        self.targets = np.zeros((len(cache), len(self.labels)), np.float32)
        self.unknown = np.zeros(self.targets.shape, bool)
        self._clip: list[int] = []
        windows = []
        spec, frames = recipe.fbank_spec, recipe.model.frames
        hop = round(HOP_SECONDS * 1000 / spec.frame_shift_ms)
        for index, recording in enumerate(cache.recordings):
            self.targets[index] = np.isin(self._columns, recording.targets)
            self.unknown[index] = np.isin(self._columns, recording.open)
            features = fbank(cache.samples(index), spec)
            for window in windows_of(features, frames, hop):
                windows.append(window.astype(np.float16))
                self._clip.append(index)
        if not self.targets.any():
            raise ConfigError(
                "expected held-out recordings with a label, got none: give the packs a "
                "validation_share"
            )
        self._windows = np.stack(windows)

    def __len__(self) -> int:
        return len(self.targets)

    def fbank(self, index: int) -> NDArray[np.float32]:
        """Return the whole fbank of a recording (frames, mels)."""
        return fbank(self._cache.samples(index), self._spec)

    def predict(self, model: AudioSpectrogramTransformer, processes: Processes) -> Predictions:
        """Score every recording with the model, alike in every process."""
        logits = np.full(self.targets.shape, -np.inf, np.float32)
        np.maximum.at(logits, self._clip, self._logits(model)[:, self._columns])
        activation = model.spec.activation
        return Predictions(self.labels, self.names, self.targets, logits, activation, self.unknown)

    def _logits(self, model: AudioSpectrogramTransformer, batch: int = 64) -> NDArray[np.float32]:
        parts = np.split(self._windows, range(batch, len(self._windows), batch))
        return np.concatenate([infer(model, torch.from_numpy(windows)) for windows in parts])
