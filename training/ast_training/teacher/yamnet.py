"""YAMNet (Google, 521 of AudioSet's 527 labels) as a teacher, by LiteRT."""

import zipfile
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from ast_edge.errors import BundleError
from ast_training.teacher.grid import around_steps
from ast_training.teacher.heard import Heard, without_features

LENGTH = 15_600
"""Samples of its window."""
LABELS_INSIDE = "yamnet_label_list.txt"
"""Of the archive that is appended to the model."""
FLOOR = 1 / 512
"""What a probability of 0 stands for: the published model is quantised in steps of 1/256."""


class YamnetTeacher:
    """Hears by YAMNet around each step; of the sound as a whole it says the mean of these."""

    def __init__(self, path: Path, labels: tuple[str, ...] | None = None) -> None:
        """Read the model, and the names of its outputs if they are not given.

        Raises:
            BundleError: if it is no such model, or has another number of outputs.
        """
        try:
            self._interpreter = Interpreter(str(path), num_threads=1)
            self._interpreter.allocate_tensors()
            inputs = self._interpreter.get_input_details()
            outputs = self._interpreter.get_output_details()
        except (ValueError, RuntimeError) as exc:
            raise BundleError(f"{path}: cannot be read as a TFLite model: {exc}") from exc
        self._input, self._output = inputs[0]["index"], outputs[0]["index"]
        self.labels = labels or _labels_inside(path)
        shapes = [tuple(int(n) for n in part[0]["shape"]) for part in (inputs, outputs)]
        if len(inputs) != 1 or shapes != [(LENGTH,), (1, len(self.labels))]:
            raise BundleError(
                f"{path}: expected {LENGTH} samples in and {len(self.labels)} probabilities out, "
                f"one per label, got {shapes[0]} and {shapes[1]}"
            )

    def hear(self, samples: NDArray[np.float32]) -> Heard:
        """Listen to sounds (batch, samples), mono at 16 kHz."""
        windows = around_steps(samples, LENGTH)
        steps = np.empty((*windows.shape[:2], len(self.labels)), np.float32)
        for place in np.ndindex(*windows.shape[:2]):
            # One by one: the size of the window is built into the graph.
            self._interpreter.set_tensor(self._input, windows[place])
            self._interpreter.invoke()
            steps[place] = self._interpreter.get_tensor(self._output)[0]
        np.maximum(steps, FLOOR, out=steps)
        return without_features(steps.mean(1), steps)


def _labels_inside(path: Path) -> tuple[str, ...]:
    """Read the names that Google's file carries with it."""
    try:
        with zipfile.ZipFile(path) as archive:
            return tuple(archive.read(LABELS_INSIDE).decode().splitlines())
    except (zipfile.BadZipFile, KeyError, UnicodeDecodeError) as exc:
        raise BundleError(
            f"{path}: holds no {LABELS_INSIDE} that names its outputs: give a list of labels"
        ) from exc
