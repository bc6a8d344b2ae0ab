"""Teaching: what a teacher hears in examples, as targets of a student's labels and steps."""

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ast_edge.errors import ConfigError
from ast_edge.fbank import FbankSpec
from ast_edge.spec import ModelSpec
from ast_training.teacher.grid import step_count, step_middles
from ast_training.teacher.heard import Teacher

Targets = NDArray[np.float32]


class Teaching:
    """Gives a student's targets by what a teacher hears; the teacher is opened when first asked.

    So a worker process opens its own, and a process that only reads examples opens none.
    """

    def __init__(self, open_teacher: Callable[[], Teacher], labels: Sequence[str]) -> None:
        """Take the names of the student's labels."""
        self._open, self.labels = open_teacher, tuple(labels)

    def targets(self, sounds: Targets) -> list[tuple[Targets, Targets]]:
        """Return clip (labels,) and steps (steps, labels) for each of the sounds (batch, samples).

        Raises:
            ConfigError: if the teacher does not know one of the labels.
        """
        heard = self._teacher.hear(sounds)
        columns = self._columns
        return list(zip(heard.clip[:, columns], heard.steps[:, :, columns], strict=True))

    @staticmethod
    def steps(samples: int) -> int:
        """Return how many steps a teacher says something of in a sound of so many samples."""
        return step_count(samples)

    @staticmethod
    def spread(steps: Targets, model: ModelSpec, spec: FbankSpec) -> Targets:
        """Draw a teacher's steps (steps, labels) straight to those of the student."""
        given = step_middles(spec.samples_in(model.frames))
        shift = spec.frame_shift_ms / 1000
        wanted = (np.arange(model.steps) * model.stride[1] + model.patch[1] / 2) * shift
        after = np.searchsorted(given, wanted).clip(1, max(1, len(given) - 1))
        if len(given) == 1:
            return np.repeat(steps, model.steps, axis=0)
        share = (wanted - given[after - 1]) / (given[after] - given[after - 1])
        share = share.clip(0, 1).astype(np.float32)[:, None]
        spread: Targets = steps[after - 1] * (1 - share) + steps[after] * share
        return spread

    @cached_property
    def _teacher(self) -> Teacher:
        return self._open()

    @cached_property
    def _columns(self) -> list[int]:
        known = {name: column for column, name in enumerate(self._teacher.labels)}
        missing = [name for name in self.labels if name not in known]
        if missing:
            raise ConfigError(f"the teachers do not know the label {missing[0]!r}")
        return [known[name] for name in self.labels]
