"""Teaching: what a teacher hears in examples, as targets of a student's labels and steps."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ast_edge.base.errors import ConfigError
from ast_edge.frontend.fbank import FbankSpec
from ast_edge.model.spec import ModelSpec
from ast_training.soundscapes.composer import Soundscape
from ast_training.soundscapes.placed import clip_targets
from ast_training.teacher.grid import WINDOWS, step_count, step_middles
from ast_training.teacher.heard import Teacher

Array = NDArray[np.float32]


class Taught(NamedTuple):
    """What is to be learnt of one soundscape."""

    clip: Array
    """(labels,)."""
    steps: Array
    """Around each moment of the teacher's (steps, labels)."""
    hint: Array
    """What the teacher makes of it and of each moment in it (1 + steps, features)."""


SHORTEST = WINDOWS.index(min(WINDOWS))
"""Of the windows around a moment: it says when."""


class Teaching:
    """Gives a student's targets by what a teacher hears; the teacher is opened when first asked.

    So a worker process opens its own, and a process that only reads examples opens none.
    """

    def __init__(
        self,
        open_teacher: Callable[[], Teacher],
        labels: Sequence[str],
        doubt: float | None = None,
        *,
        moments: bool = True,
        hints: bool = False,
    ) -> None:
        """Take the names of the student's labels.

        With `doubt`, what was composed counts as well, and of a label that was not placed only that
        share of the teacher's probability, unless it may sound unannounced; without `moments` it
        says nothing of steps, which are then what was composed alone. Without `hints` the teacher's
        features are left out.
        """
        self._open, self.labels, self.doubt = open_teacher, tuple(labels), doubt
        self._moments = moments
        self._features = slice(None) if hints else slice(0)

    def targets(self, scapes: Sequence[Soundscape], samples: int) -> list[Taught]:
        """Return what is to be learnt of each soundscape's first samples.

        Raises:
            ConfigError: if the teacher does not know one of the labels.
        """
        heard = self._teacher.hear(np.stack([scape.samples[:samples] for scape in scapes]))
        columns = self._columns
        hints = np.concatenate(
            [heard.clip_features[:, None], heard.step_features[:, :, SHORTEST]], axis=1
        )[..., self._features]
        taught = zip(heard.clip[:, columns], heard.steps[:, :, columns], hints, strict=True)
        return [
            self._with_annotation(Taught(*one), scape)
            for one, scape in zip(taught, scapes, strict=True)
        ]

    def _with_annotation(self, taught: Taught, scape: Soundscape) -> Taught:
        if self.doubt is None:
            return taught
        believed = np.full(len(taught.clip), self.doubt, np.float32)
        believed[list(scape.open)] = 1
        placed = clip_targets(scape.events, len(believed)) > 0
        clip = np.where(placed, 1, taught.clip * believed).astype(np.float32)
        if self._moments:
            return taught._replace(clip=clip, steps=taught.steps * believed)
        steps = np.zeros_like(taught.steps)
        steps[:, list(scape.open)] = np.nan
        return taught._replace(clip=clip, steps=steps)

    @staticmethod
    def steps(samples: int) -> int:
        """Return how many steps a teacher says something of in a sound of so many samples."""
        return step_count(samples)

    @staticmethod
    def spread(steps: Array, model: ModelSpec, spec: FbankSpec) -> Array:
        """Draw a teacher's steps (steps, labels) straight to those of the student."""
        given = step_middles(spec.samples_in(model.frames))
        shift = spec.frame_shift_ms / 1000
        wanted = (np.arange(model.steps) * model.stride[1] + model.patch[1] / 2) * shift
        after = np.searchsorted(given, wanted).clip(1, max(1, len(given) - 1))
        if len(given) == 1:
            return np.repeat(steps, model.steps, axis=0)
        share = (wanted - given[after - 1]) / (given[after] - given[after - 1])
        share = share.clip(0, 1).astype(np.float32)[:, None]
        spread: Array = steps[after - 1] * (1 - share) + steps[after] * share
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
