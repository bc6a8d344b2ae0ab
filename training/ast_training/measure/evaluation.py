"""Clips to evaluate a model on, and what it says of them."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ast_training.base.processes import Processes
from ast_training.data.augmentation import fit_length
from ast_training.data.clips import ClipSet
from ast_training.data.example import Example, batches, weakly_labelled
from ast_training.measure.predictions import Predictions
from ast_training.model.network import AudioSpectrogramTransformer
from ast_training.recipe.recipe import Recipe


class EvaluationSet(Protocol):
    """What a model is evaluated on."""

    def __len__(self) -> int:
        """Return the number of clips."""
        ...

    def predict(self, model: AudioSpectrogramTransformer, processes: Processes) -> Predictions:
        """Run the model on every clip."""
        ...

    def fbank(self, index: int) -> NDArray[np.float32]:
        """Return the whole fbank of a clip (frames, mels)."""
        ...


class ClipEvaluation:
    """Clips as they are: cut or padded to the window, not augmented."""

    def __init__(self, clips: ClipSet, indices: NDArray[np.int64], recipe: Recipe) -> None:
        """Take the clips to evaluate on, by their index in the set."""
        self.clips, self.indices, self.recipe = clips, indices, recipe

    def __len__(self) -> int:
        return len(self.indices)

    def batch(self, epoch: int, positions: Sequence[int]) -> list[Example]:
        """Return several; the epoch is void."""
        return [self.example(epoch, position) for position in positions]

    def example(self, epoch: int, position: int) -> Example:
        """Return the features (frames, mels) and targets (labels,) of a clip; the epoch is void."""
        features = fit_length(self.fbank(position), self.recipe.model.frames)
        return weakly_labelled(features, self.clips.target(int(self.indices[position])))

    def fbank(self, index: int) -> NDArray[np.float32]:
        """Return the whole fbank of a clip (frames, mels)."""
        return self.clips.fbank(int(self.indices[index]), self.recipe.fbank_spec)

    def predict(self, model: AudioSpectrogramTransformer, processes: Processes) -> Predictions:
        """Run the model on every clip, in float32; each process takes its share of them."""
        mine = range(processes.rank, len(self), processes.world)
        # A batch for evaluation holds no activations to go back through.
        parts = processes.world * self.recipe.loop.accumulate
        size = max(1, 2 * self.recipe.optimizer.batch // parts)
        positions = [mine[start : start + size] for start in range(0, len(mine), size)]
        logits: list[NDArray[np.float32]] = []
        targets: list[NDArray[np.float32]] = []
        for batch in batches(self, 0, positions, self.recipe.loop.workers):
            logits.extend(infer(model, batch.features))
            targets.extend(batch.clip.numpy())
        return Predictions(
            labels=tuple(self.recipe.labels),
            clips=tuple(self.clips[i].name for i in self.indices.tolist()),
            targets=np.stack(processes.gather(targets)),
            logits=np.stack(processes.gather(logits)),
            activation=model.spec.activation,
        )


@torch.inference_mode()
def infer(model: AudioSpectrogramTransformer, features: Tensor) -> NDArray[np.float32]:
    """Map fbanks (batch, frames, mels) to float32 logits (batch, labels)."""
    device = next(model.parameters()).device
    logits: NDArray[np.float32] = model(features.to(device).float()).cpu().numpy()
    return logits
