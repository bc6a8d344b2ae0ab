"""The ear in the daemon's thread: hands over what a pipeline shows, and waits for nothing."""

import struct
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ast_edge.detection.candidates import Candidate
from ast_edge.detection.tracker import Step
from ast_edge.frontend.listener import Window

KIND = 2
_HEAD = struct.Struct("<BBHfd")
"""Kind, 0, labels, 0, unix time of the newest step."""

Post = Callable[[Callable[[], None]], None]
"""Lets an action run in the page's thread, soon."""


class SourceTap:
    """The `Tap` of one source that somebody looks at."""

    def __init__(
        self,
        post: Post,
        heard: Callable[[Window], None],
        scored: Callable[[Sequence[Step]], None],
        held: Callable[[Candidate], None],
    ) -> None:
        """Take what is called in the page's thread: no array that is handed over ever changes."""
        self._post, self._heard, self._scored, self._held = post, heard, scored, held

    def heard(self, windows: Sequence[Window]) -> None:
        """Hand over windows."""
        for window in windows:
            self._post(lambda window=window: self._heard(window))  # type: ignore[misc]

    def tracked(self, steps: Sequence[Step], held: Sequence[Candidate]) -> None:
        """Hand over steps, and what has become no event."""
        if steps:
            self._post(lambda: self._scored(steps))
        for candidate in held:
            self._post(lambda candidate=candidate: self._held(candidate))  # type: ignore[misc]


def scores_message(steps: Sequence[Step], columns: NDArray[np.intp]) -> bytes:
    """Return the highest probability of each label in some steps, as a message."""
    highest = np.max([step.probabilities for step in steps], axis=0)[columns]
    scaled = np.rint(np.clip(np.nan_to_num(highest), 0, 1) * 65535).astype("<u2")
    head = _HEAD.pack(KIND, 0, len(columns), 0.0, steps[-1].now)
    return head + bytes(scaled.tobytes())
