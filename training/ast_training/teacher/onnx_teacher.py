"""Any network in an ONNX file that takes samples, as a teacher."""

from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from ast_edge.base.errors import BundleError
from ast_edge.engines.onnxruntime import FAULTS, open_session
from ast_training.teacher.grid import RATE, WINDOWS, around_steps
from ast_training.teacher.heard import Heard, without_features


class OnnxTeacher:
    """Hears by a graph from samples (batch, samples) or (samples,) to scores of labels.

    Scores may have an axis of frames before that of labels; their mean is taken. A graph of a fixed
    length scores windows of it around each step and a sound as the mean of them; one of any length
    scores the sound itself, and windows of the shortest of `grid.WINDOWS`.
    """

    def __init__(
        self, path: Path, labels: tuple[str, ...], *, logits: bool = False, rate: int = RATE
    ) -> None:
        """Read the graph; `rate` is of the samples it takes, in hertz.

        Raises:
            BundleError: if it does not lead from samples to these labels.
            EngineError: if ONNX Runtime cannot load it.
        """
        self.labels, self.logits, self.rate, self.path = labels, logits, rate, path
        self._session = open_session(path, threads=1)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        shape = inputs[0].shape if len(inputs) == 1 else []
        if len(shape) not in (1, 2) or inputs[0].type != "tensor(float)":
            takes = ", ".join(f"{one.name} {one.type} {one.shape}" for one in inputs)
            raise BundleError(
                f"{path}: expected samples (batch, samples) or (samples,) in float32 as its only "
                f"input, got {takes}"
            )
        scores = [out.name for out in outputs if out.shape and out.shape[-1] == len(labels)]
        if not scores:
            gives = ", ".join(f"{out.name} {out.shape}" for out in outputs)
            raise BundleError(f"{path}: expected {len(labels)} scores, one per label, got {gives}")
        self._input, self._output = inputs[0].name, scores[0]
        self._length = shape[-1] if isinstance(shape[-1], int) else None
        self._batched = len(shape) == 2 and not isinstance(shape[0], int)
        self._rank = len(shape)

    def hear(self, samples: NDArray[np.float32]) -> Heard:
        """Listen to sounds (batch, samples), mono at 16 kHz.

        Raises:
            BundleError: if the graph refuses them, or what it says are no probabilities.
        """
        length = round((self._length or WINDOWS[0] * self.rate) * RATE / self.rate)
        windows = around_steps(samples, length)
        steps = self._score(windows.reshape(-1, length)).reshape(*windows.shape[:2], -1)
        return without_features(
            self._score(samples) if self._length is None else steps.mean(1), steps
        )

    def _score(self, sounds: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return probabilities (sounds, labels)."""
        if self.rate != RATE:
            sounds = soxr.resample(sounds.T, RATE, self.rate).T
        if self._length is not None:
            # Resampling may have rounded to a sample more or less.
            missing = max(0, self._length - sounds.shape[1])
            sounds = np.pad(sounds, ((0, 0), (0, missing)))[:, : self._length]
        sounds = np.ascontiguousarray(sounds, np.float32)
        groups = [sounds] if self._batched else list(sounds[:, None] if self._rank == 2 else sounds)
        scores = np.concatenate([self._run(group) for group in groups])
        if self.logits:
            return np.asarray(1 / (1 + np.exp(-scores)), np.float32)
        if not ((scores >= 0) & (scores <= 1)).all():
            raise BundleError(
                f"{self.path}: expected probabilities, got scores from {scores.min():.3g} to "
                f"{scores.max():.3g}; set logits if it lacks the sigmoid"
            )
        return scores

    def _run(self, sounds: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return scores (sounds, labels) of what the graph takes at once."""
        try:
            (scores,) = self._session.run([self._output], {self._input: sounds})
        except FAULTS as exc:
            raise BundleError(f"{self.path}: {str(exc).splitlines()[0]}") from exc
        count = len(sounds) if self._rank == 2 else 1
        found: NDArray[np.float32] = scores.reshape(count, -1, len(self.labels)).mean(1)
        return found
