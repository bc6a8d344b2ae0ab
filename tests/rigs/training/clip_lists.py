"""Small lists of clips, and the sets that are prepared from them."""

from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from ast_edge.model.label import Label
from ast_training.data.clip_list import ClipList, RawClip
from ast_training.data.clips import ClipSet
from ast_training.datasets.prepare import prepare

RATE = 16_000
LABELS = (Label(0, "Hum", "/m/01"), Label(1, "Whistle", "/m/02"), Label(2, "Hiss", ""))


def write_noise(
    path: Path, seed: int, seconds: float = 0.5, rate: int = RATE, channels: int = 1
) -> NDArray[np.int16]:
    """Write 16-bit noise of that length; return its samples (samples, channels)."""
    shape = (round(seconds * rate), channels)
    samples = np.random.default_rng(seed).integers(-8000, 8000, shape).astype(np.int16)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate)
    return samples


def four_clips(folder: Path) -> ClipList:
    """Clips of 0.5, 0.6, 0.7 and 0.8 s with various labels, splits and folds."""
    rows = [
        (("Hum",), "train", 1),
        (("Hum", "Hiss"), "train", 2),
        ((), "validation", 3),
        (("Whistle",), "test", 2),
    ]
    clips = []
    for index, (labels, split, fold) in enumerate(rows):
        path = folder / f"{index}.wav"
        write_noise(path, index, 0.5 + index / 10)
        clips.append(RawClip(f"clip {index}", path, labels, split, fold))
    return ClipList("Noises", LABELS, clips, licence="CC0")


def prepared(folder: Path, **options: bool) -> ClipSet:
    """The same, prepared in this process."""
    return prepare(four_clips(folder / "source"), folder / "set", jobs=1, **options)
