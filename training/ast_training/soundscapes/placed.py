"""Targets of placed events: which labels a window holds, and in which of its steps."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from ast_edge.frontend.fbank import FbankSpec
from ast_edge.model.spec import ModelSpec
from ast_training.soundscapes.composer import PlacedEvent

AUDIBLE_SECONDS = 0.06
"""A label counts for the clip when as much of it is in the window."""


def clip_targets(events: Iterable[PlacedEvent], labels: int) -> NDArray[np.float32]:
    """Return 1 for every label that is audible in the window (labels,)."""
    heard = np.zeros(labels)
    for event in events:
        heard[event.label] += event.offset - event.onset
    return (heard >= AUDIBLE_SECONDS).astype(np.float32)


def frame_targets(
    events: Iterable[PlacedEvent], model: ModelSpec, spec: FbankSpec
) -> NDArray[np.float32]:
    """Return 1 where the middle of a step lies in an event (steps, labels).

    Without a frame head there are no steps.
    """
    steps = model.steps if model.frame_head else 0
    targets = np.zeros((steps, model.labels), np.float32)
    shift = spec.frame_shift_ms / 1000
    middles = (np.arange(steps) * model.stride[1] + model.patch[1] / 2) * shift
    for event in events:
        # A short sound between two middles is in the step nearest to it.
        inside = (middles >= event.onset) & (middles < event.offset)
        if steps and not inside.any():
            inside[np.abs(middles - (event.onset + event.offset) / 2).argmin()] = True
        targets[inside, event.label] = 1
    return targets
