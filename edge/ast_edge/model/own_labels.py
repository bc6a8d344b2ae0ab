"""Labels that were enrolled on the device, each with its own head on the graph's embeddings."""

import hashlib
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

HEADS_FILE = "own.npz"
"""In the folder of a bundle that has own labels."""
LARGEST_FILE = 1 << 26
"""Bytes of it."""
EPSILON = 1e-6


@dataclass(frozen=True)
class Evidence:
    """What is known of how well an own label is found: as measured when it was enrolled."""

    takes: int
    """Recordings that it was learnt from."""
    held_out: int
    """Of these, how many were each left out once to be looked for; 0 where there was one only."""
    found: int
    """Of those left out, how many were found."""
    hours: float
    """Of other sound, none of which the judged heads had learnt from."""
    alarms: int
    """Times that the sound was heard in it."""
    bank: bool
    """Whether the other sound was the bundle's bank, and not the user's own recordings."""

    def __post_init__(self) -> None:
        counts = (self.takes - 1, self.held_out, self.found, self.alarms)
        if min(counts) < 0 or not self.found <= self.held_out <= self.takes:
            raise ValueError(f"expected 0 <= found <= held_out <= takes, got {self}")
        if not 0 <= self.hours < np.inf:
            raise ValueError(f"expected hours of 0 or more, got {self.hours}")

    def __str__(self) -> str:
        """Say it in a few words."""
        found = f"found {self.found} of {self.held_out} held-out takes"
        alarms = "1 alarm" if self.alarms == 1 else f"{self.alarms} alarms"
        other = "the bank" if self.bank else "negatives"
        return (
            f"{found if self.held_out else 'one take, so none was held out'}, "
            f"{alarms} in {_duration(self.hours)} of {other}"
        )


def _duration(hours: float) -> str:
    return f"{hours:.2g} h" if hours >= 1 else f"{hours * 60:.0f} min"


@dataclass(frozen=True)
class Heads:
    """A linear head for each own label, on embeddings that are normalised one by one.

    Compared by the sum of the file that they stand in.
    """

    sha256: str
    clip: NDArray[np.float32] = field(compare=False, repr=False)
    """(labels, width + 1) weights, then the bias, of a window's logit."""
    frame: NDArray[np.float32] | None = field(compare=False, repr=False)
    """The same of a step's; None if the bundle has no frame scores."""

    def clip_logits(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map embeddings of windows (batch, width) to logits (batch, labels)."""
        return _logits(self.clip, embeddings)

    def frame_logits(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map embeddings of steps (batch, steps, width) to logits (batch, steps, labels)."""
        assert self.frame is not None, "the bundle has frame scores, so its heads do"
        return _logits(self.frame, embeddings)


def _logits(head: NDArray[np.float32], embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    found: NDArray[np.float32] = normalised(embeddings) @ head[:, :-1].T + head[:, -1]
    return found


def normalised(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring embeddings (..., width) to mean 0 and deviation 1 each: what a head reads.

    As the network's own heads do, so that neither loudness nor an engine's precision moves all.
    """
    away = embeddings - embeddings.mean(axis=-1, keepdims=True)
    scale = np.sqrt(np.mean(np.square(away), axis=-1, keepdims=True) + np.float32(EPSILON))
    scaled: NDArray[np.float32] = (away / scale).astype(np.float32, copy=False)
    return scaled


def read_heads(path: Path) -> Heads:
    """Read the heads of a bundle's own labels.

    Raises:
        ValueError: if the file holds something else.
        OSError: if it cannot be read.
    """
    content = path.read_bytes()
    try:
        with np.load(BytesIO(content), allow_pickle=False) as arrays:
            found = {name: _numbers(arrays, name) for name in arrays.files}
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, MemoryError) as exc:
        raise ValueError(f"{path.name} is damaged: {exc}") from exc
    if found.keys() - {"frame"} != {"clip"}:
        raise ValueError(f"{path.name}: expected arrays clip and frame, got {sorted(found)!r:.80}")
    return Heads(hashlib.sha256(content).hexdigest(), found["clip"], found.get("frame"))


def _numbers(arrays: Mapping[str, NDArray[np.generic]], name: str) -> NDArray[np.float32]:
    array = arrays[name]
    if array.dtype != np.float32 or array.ndim != 2 or not np.isfinite(array).all():
        raise ValueError(
            f"{HEADS_FILE}: {name!r:.40}: expected finite float32 numbers (labels, width + 1), "
            f"got {array.dtype} {array.shape}"
        )
    return np.asarray(array, np.float32)


def heads_bytes(clip: NDArray[np.float32], frame: NDArray[np.float32] | None) -> bytes:
    """Return the content of the file of heads; the same heads give the same bytes."""
    buffer = BytesIO()
    arrays = {"clip": clip} if frame is None else {"clip": clip, "frame": frame}
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()
