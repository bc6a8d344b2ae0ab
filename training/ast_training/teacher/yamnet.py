"""YAMNet (Google, 521 of AudioSet's 527 labels) as a teacher, read from its TFLite model."""

from pathlib import Path

import numpy as np
import torch
import torchaudio
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from ast_edge.base.errors import BundleError
from ast_edge.engines.openvino import shared_core
from ast_training.teacher.grid import RATE, step_middles
from ast_training.teacher.heard import Heard, without_features
from ast_training.weights.yamnet import yamnet_labels

# isort: split
import openvino  # after our engine, which keeps it from reporting to its maker
from openvino import opset13

FRAME, HOP, FFT, MELS = 400, 160, 512, 64
"""Samples; numbers of its front end."""
FRAMES = 96
"""Of its window."""
LENGTH = (FRAMES - 1) * HOP + FRAME
"""Samples of its window: 0.975 s."""
FLOOR = 1 / 512
"""Least probability: half of the smallest step of the published model, which is quantised. With
what lies below, its mean with other teachers is worse."""
PART = 8
"""Sounds that are computed at once: with more the intermediate results leave the caches."""


class YamnetTeacher:
    """Hears by YAMNet around each step; of the sound as a whole it says the mean of these."""

    def __init__(self, path: Path, labels: tuple[str, ...] | None = None) -> None:
        """Read the model, and the names of its outputs if they are not given.

        Raises:
            BundleError: if it is no such model, or has another number of outputs.
        """
        self.labels = labels or yamnet_labels(path)
        self._network = _read(path, len(self.labels))
        bank, _ = torchaudio.compliance.kaldi.get_mel_banks(
            MELS, FFT, float(RATE), 125.0, 7500.0, 100.0, -500.0, 1.0
        )
        self._bank = pad(bank, (0, 1)).T.contiguous()
        self._window = torch.hann_window(FRAME)

    def hear(self, samples: NDArray[np.float32]) -> Heard:
        """Listen to sounds (batch, samples), mono at 16 kHz."""
        parts = [self._steps(part) for part in torch.split(torch.from_numpy(samples), PART)]
        steps = np.maximum(np.concatenate(parts), FLOOR)
        clip: NDArray[np.float32] = steps.mean(axis=1, dtype=np.float32)
        return without_features(clip, steps)

    def _steps(self, sounds: Tensor) -> NDArray[np.float32]:
        """Return probabilities of the window around each step (sounds, steps, labels)."""
        frames = self._log_mel(pad(sounds, (0, max(0, LENGTH - sounds.shape[1]))))
        middles = np.round(step_middles(sounds.shape[1]) * RATE / HOP).astype(int)
        starts = np.clip(middles - FRAMES // 2, 0, frames.shape[1] - FRAMES)
        windows = torch.stack([frames[:, start : start + FRAMES] for start in starts], 1)
        found = self._network(windows.flatten(0, 1)[:, None].numpy())[0]
        return np.array(found, np.float32).reshape(len(sounds), len(starts), -1)

    def _log_mel(self, sounds: Tensor) -> Tensor:
        """Turn (sounds, samples) into its picture of them (sounds, frames, mels)."""
        spectrum = torch.fft.rfft(sounds.unfold(1, FRAME, HOP) * self._window, n=FFT)
        magnitude = (spectrum.real**2 + spectrum.imag**2).sqrt()
        return torch.log(magnitude @ self._bank + 1e-3)


def _read(path: Path, labels: int) -> openvino.CompiledModel:
    """Compile the part of the graph behind its front end, for any number of windows.

    The graph as it is takes one window and computes in int8. Without the rounding of its results in
    between it is as good, and in bf16 and batches three times as fast.

    Raises:
        BundleError: if it is another model.
    """
    core = shared_core()
    try:
        graph = core.read_model(path)
        first = next(op for op in graph.get_ordered_ops() if op.get_type_name() == "Convolution")
        takes = first.input(0).get_partial_shape()
        picture = opset13.parameter([-1, 1, FRAMES, MELS], np.float32)
        first.input(0).replace_source_output(picture.output(0))
        network = openvino.Model(graph.get_results(), [picture], "yamnet")
        for op in network.get_ordered_ops():
            if op.get_type_name() == "FakeQuantize":
                for reader in op.output(0).get_target_inputs():
                    reader.replace_source_output(op.input_value(0))
        network.validate_nodes_and_infer_types()
        gives = network.output(0).get_partial_shape()
        native = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        precision = "bf16" if "BF16" in native else "f32"
        settings = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": precision}
        compiled = core.compile_model(network, "CPU", settings)
    except (RuntimeError, ValueError, StopIteration) as exc:
        reason = (str(exc).strip().splitlines() or ["it has no convolution"])[-1]
        raise BundleError(f"{path}: expected YAMNet as a TFLite model: {reason}") from exc
    if str(takes) != f"[1,1,{FRAMES},{MELS}]" or str(gives) != f"[?,{labels}]":
        raise BundleError(
            f"{path}: expected YAMNet with pictures [1,1,{FRAMES},{MELS}] and {labels} outputs, "
            f"one per label, got {takes} and {gives}"
        )
    return compiled
