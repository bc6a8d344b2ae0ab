"""Recordings of any length as windows of one length."""

import numpy as np
from numpy.typing import NDArray

from ast_edge.frontend.fbank import LOG_FLOOR


def windows_of(features: NDArray[np.float32], frames: int, hop: int) -> list[NDArray[np.float32]]:
    """Cut features (n, mels) into windows (frames, mels); a short one has silence before it."""
    if len(features) <= frames:
        silence = np.full((frames - len(features), features.shape[1]), LOG_FLOOR, np.float32)
        return [np.concatenate([silence, features])]
    last = len(features) - frames
    starts = sorted({*range(0, last + 1, hop), last})
    return [features[start : start + frames] for start in starts]
