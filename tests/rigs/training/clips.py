"""A small data set, prepared to train on: whistles and hums, one label each."""

from pathlib import Path
from typing import Any

import soundfile
from rigs.training.packs import LABELS, RATE, make_recipe, tone

from ast_edge.model.label import Label
from ast_training.data.clip_list import ClipList, RawClip, Split
from ast_training.datasets.prepare import prepare
from ast_training.recipe.recipe import Recipe

FRAMES = 32
"""Window of the recipe; a clip of 0.5 s has 48."""


def tones(folder: Path, train: int = 9, held_out: int = 5, seconds: float = 0.5) -> Path:
    """Prepare tones of different pitch, alternately high and low; folds 1 to 3 in turn."""
    clips = []
    splits: list[Split] = ["train"] * train + ["validation"] * held_out
    (folder / "source").mkdir(parents=True)
    for number, split in enumerate(splits):
        label = list(LABELS)[number % 2]
        path = folder / "source" / f"{number}.wav"
        hertz = 3000 + 50 * number if label == "Whistle" else 150 + 5 * number
        soundfile.write(path, tone(hertz, seconds), RATE)
        clips.append(RawClip(path.stem, path, (label,), split, fold=1 + number % 3))
    labels = tuple(Label(i, name, mid) for i, (name, mid) in enumerate(LABELS.items()))
    prepare(ClipList("Tones", labels, clips), folder / "set", jobs=1)
    return folder / "set"


def clip_recipe(folder: Path, **sections: Any) -> Recipe:
    """Make a recipe of a small model that trains on a prepared folder."""
    data = {"folder": str(folder)} | sections.pop("data", {})
    return make_recipe({}, data=data, **sections)
