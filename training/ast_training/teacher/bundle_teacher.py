"""A bundle as a teacher: a model of the last round teaches the next one."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ast_edge.base.errors import BundleError
from ast_edge.engines.choice import open_engine
from ast_edge.engines.config import EngineConfig
from ast_edge.frontend.fbank import fbank
from ast_edge.model.bundle import load_bundle
from ast_training.teacher.grid import RATE, STEP_SECONDS, around_steps, step_middles
from ast_training.teacher.heard import Heard, without_features


class BundleTeacher:
    """Hears by a bundle, as a daemon would, without its thresholds.

    With frame scores a moment's probability is the mean of the steps in its half second (with a
    clip gate their geometric mean with the window's), and a sound's the highest of its windows,
    which lie half over each other. Without them a window around each moment is scored, and a
    sound is the mean of these.
    """

    def __init__(self, folder: Path) -> None:
        """Open the bundle on one thread.

        Raises:
            BundleError: if it cannot be read, or listens to another rate than teachers.
            EngineError: if no engine can open it.
        """
        bundle = load_bundle(folder)
        if bundle.fbank.sample_rate != RATE:
            raise BundleError(
                f"{folder}: expected a bundle for {RATE} Hz, got {bundle.fbank.sample_rate} Hz"
            )
        self.labels = tuple(label.name for label in bundle.labels)
        self._bundle, self._engine = bundle, open_engine(bundle, EngineConfig(threads=1))

    def hear(self, samples: NDArray[np.float32]) -> Heard:
        """Listen to sounds (batch, samples), mono at 16 kHz."""
        if self._bundle.frame == "none":
            windows = around_steps(samples, self._bundle.fbank.samples_in(self._bundle.frames))
            features = [fbank(one, self._bundle.fbank) for one in np.concatenate(windows)]
            steps = self._engine.run(np.stack(features)).clip.reshape(*windows.shape[:2], -1)
            return without_features(steps.mean(axis=1), steps)
        heard = [self._with_steps(sound) for sound in samples]
        return without_features(*(np.stack(part) for part in zip(*heard, strict=True)))

    def _with_steps(self, sound: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        """Return probabilities of a sound (labels,) and around each moment (steps, labels)."""
        bundle, frames = self._bundle, self._bundle.frames
        missing = bundle.fbank.samples_in(frames) - len(sound)
        features = fbank(np.pad(sound, (0, max(0, missing))), bundle.fbank)
        last = len(features) - frames
        starts = sorted({*range(0, last + 1, frames // 2), last})
        scores = self._engine.run(np.stack([features[n : n + frames] for n in starts]))
        assert scores.frame is not None, "its bundle says so"
        steps = np.sqrt(scores.frame * scores.clip[:, None]) if bundle.clip_gate else scores.frame
        middles = (np.arange(steps.shape[1]) + 0.5) * bundle.step_seconds
        times = np.array(starts)[:, None] * bundle.fbank.frame_shift / RATE + middles
        distances = [abs(times - middle) for middle in step_middles(len(sound))]
        # The nearest where there are none within: its steps may be longer than ours.
        near = [steps[one <= max(STEP_SECONDS / 2, one.min())].mean(axis=0) for one in distances]
        return scores.clip.max(axis=0), np.stack(near)
