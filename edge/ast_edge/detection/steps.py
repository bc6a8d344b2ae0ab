"""From the probabilities of windows to the steps that events are made of."""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from ast_edge.audio.timeline import Anchor, Timeline
from ast_edge.detection.aggregator import Aggregator, Moment
from ast_edge.detection.groups import Group, with_groups
from ast_edge.detection.tracker import Step
from ast_edge.frontend.listener import Window
from ast_edge.model.bundle import Bundle
from ast_edge.model.label import Label
from ast_edge.model.label_settings import TrackerSettings


class Steps:
    """Make the steps of one source: moments where the bundle has frame scores, else windows.

    Pure; memory is bounded by the moments of one window.
    """

    def __init__(
        self, bundle: Bundle, settings: Mapping[Label, TrackerSettings], latency: float
    ) -> None:
        """Take the bundle, the labels and groups that are followed, and the latency in seconds."""
        self.follow(settings)
        self._clip_gate = bundle.clip_gate
        self._aggregator = (
            Aggregator(bundle.members[0], bundle.fbank, latency) if bundle.frame != "none" else None
        )
        self._when: Timeline | Anchor | None = None
        """When the sound of the newest window was."""

    def follow(self, settings: Mapping[Label, TrackerSettings]) -> None:
        """Append the probabilities of these groups from now on, in the order of their columns."""
        groups = [label for label in settings if isinstance(label, Group)]
        self._groups = sorted(groups, key=lambda group: group.index)

    def begin(self) -> None:
        """Forget everything: what follows is another stream."""
        if self._aggregator:
            self._aggregator.reset()

    def feed(
        self, window: Window, clip: NDArray[np.float32], frame: NDArray[np.float32] | None
    ) -> Iterable[Step]:
        """Take a window's probabilities (labels,) and (steps, labels); return what is certain."""
        self._when = window.when
        if self._aggregator is None:
            return [self._clip_step(window, clip)]
        assert frame is not None, "the bundle has frame scores: they are what events are made of"
        if self._clip_gate:
            frame = np.sqrt(frame * clip)
        return self._frame_steps(self._aggregator.feed(window.start, window.heard, frame))

    def flush(self) -> Iterable[Step]:
        """Return the rest: the stream is over."""
        if self._aggregator is None or self._when is None:
            return []
        return self._frame_steps(self._aggregator.flush())

    def _clip_step(self, window: Window, clip: NDArray[np.float32]) -> Step:
        """Return what a whole window says."""
        time_at = window.when.time_at
        return Step(
            onset=time_at(max(0.0, window.heard - window.hop)),
            offset=time_at(min(window.start + window.hop, window.heard)),
            now=window.heard_at,
            probabilities=with_groups(clip, self._groups),
        )

    def _frame_steps(self, moments: Iterable[Moment]) -> Iterator[Step]:
        """Yield steps that are one moment each."""
        assert self._when
        for moment in moments:
            end = self._when.time_at(moment.end)
            yield Step(
                onset=self._when.time_at(moment.start),
                offset=end,
                now=end,
                probabilities=with_groups(moment.probabilities, self._groups),
            )
