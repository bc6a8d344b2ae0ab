"""How far a window is from being heard as the sound, and where the line is drawn."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ast_edge.enrolment.embedder import Embedded
from ast_edge.enrolment.negatives import Negatives

Margins = NDArray[np.float64]
"""(windows,) by how much the logits of a window may be lowered until its score is a half."""

TAIL = 20
"""Alarms that the tail of other sound is drawn through."""

SHARE, SHARE_ALONE = 0.5, 0.3
"""Of the way from other sound to the sound, where the line is drawn if there is room; less of it to
a take that was learnt, which scores higher than any other will."""
SURE = 1e-7
"""Probabilities nearer to 0 and 1 are rounding."""


def margins(embedded: Embedded, heads: "HeadPair", *, gated: bool) -> Margins:
    """Return the margin of each window: that of its highest step, where there are steps.

    Args:
        embedded: windows.
        heads: of the clip and of the steps.
        gated: whether a step scores the geometric mean of its own probability and its window's.
    """
    clip = heads.clip_logits(embedded.clip).astype(np.float64)
    if embedded.frame is None:
        return clip
    frame = heads.frame_logits(embedded.frame).astype(np.float64).max(axis=1)
    return _gated(clip, frame) if gated else frame


def _gated(clip: Margins, frame: Margins) -> Margins:
    """Solve sigmoid(clip - m) * sigmoid(frame - m) = 1/4 for m."""
    a, b = np.exp(-np.clip(clip, -30, 30)), np.exp(-np.clip(frame, -30, 30))
    solved: Margins = np.log((np.sqrt((a + b) ** 2 + 12 * a * b) - (a + b)) / (2 * a * b))
    return solved


def alarms(found: Margins, negatives: Negatives, line: float) -> NDArray[np.int64]:
    """Return the windows that begin an alarm: what overlaps one that is heard is one with it."""
    heard = found >= line
    before = np.concatenate([[False], heard[:-1]]) & negatives.follows
    return np.flatnonzero(heard & ~before)


def draw_line(found: Margins, negatives: Negatives, wish: float) -> float:
    """Return the margin that so many alarms an hour are above.

    Within what was heard that is counted; beyond, the tail is taken to fall exponentially, as it
    does in logits: an hour of other sound says something of a wish of one a week, if not much.
    """
    peaks = np.sort(_peaks(found, negatives))[::-1]
    count = min(TAIL, max(1, len(peaks) // 3))
    rest = float(peaks[min(count, len(peaks) - 1)])
    slope = max(float(np.mean(peaks[:count] - rest)), 0.05)
    expected = max(negatives.hours * wish, 1e-9)
    return rest + slope * float(np.log(max(count / expected, 1e-3)))


def raise_line(line: float, scores: Sequence[float], *, held_out: bool) -> float:
    """Return the margin between other sound and the takes, if these are above the line.

    The other sound that was heard is little: what else there is at a place comes nearer to the
    sound. No take that was found is lost by it.

    Args:
        line: that of the other sound.
        scores: of takes by heads that are lowered by the line.
        held_out: whether the heads had not learnt from them.
    """
    lowest = float(np.clip(min(scores), SURE, 1 - SURE))
    room = float(np.log(lowest / (1 - lowest)))
    return line + max(0.0, room * (SHARE if held_out else SHARE_ALONE))


def _peaks(found: Margins, negatives: Negatives) -> Margins:
    """Return the margins of windows that are no lower than those they overlap."""
    padded = np.concatenate([[-np.inf], found, [-np.inf]])
    before = np.where(negatives.follows, padded[:-2], -np.inf)
    after = np.where(np.append(negatives.follows[1:], False), padded[2:], -np.inf)
    return found[(found >= before) & (found > after) | (len(found) == 1)]


class HeadPair:
    """The heads of one label, of windows and of their steps."""

    def __init__(self, clip: NDArray[np.float32], frame: NDArray[np.float32] | None) -> None:
        """Take weights and bias (width + 1,) of each."""
        self.clip, self.frame = clip, frame

    def clip_logits(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map (windows, width) to logits (windows,)."""
        found: NDArray[np.float32] = rows @ self.clip[:-1] + self.clip[-1]
        return found

    def frame_logits(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map (windows, steps, width) to logits (windows, steps)."""
        assert self.frame is not None
        found: NDArray[np.float32] = rows @ self.frame[:-1] + self.frame[-1]
        return found

    def lowered(self, line: float) -> "HeadPair":
        """Return heads that give a half where these have this margin."""

        def lower(head: NDArray[np.float32]) -> NDArray[np.float32]:
            return np.append(head[:-1], head[-1] - np.float32(line)).astype(np.float32)

        return HeadPair(lower(self.clip), None if self.frame is None else lower(self.frame))
