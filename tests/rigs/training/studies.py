"""Small studies of generated sounds."""

from pathlib import Path
from typing import Any

import soundfile
import yaml
from rigs.training.packs import LABELS, RATE, tone, write_recipe

from ast_edge.model.label import Label
from ast_training.data.clip_list import ClipList, RawClip
from ast_training.datasets.prepare import prepare


def scale(folder: Path, clips: int = 24) -> Path:
    """Prepare tones of rising pitch in folds 1 to 3; every fifth is mislabelled, so models err."""
    (folder / "source").mkdir(parents=True)
    raw = []
    for number in range(clips):
        path = folder / "source" / f"{number}.wav"
        soundfile.write(path, tone(200 * 1.15**number), RATE)
        label = list(LABELS)[(number < clips // 2) != (number % 5 == 0)]
        raw.append(RawClip(path.stem, path, (label,), fold=1 + number % 3))
    labels = tuple(Label(i, name, mid) for i, (name, mid) in enumerate(LABELS.items()))
    prepare(ClipList("Scale", labels, raw), folder / "set", jobs=1)
    return folder / "set"


def write_study(folder: Path, **changes: Any) -> Path:
    """Write a study with its recipe and clips: two members, two folds, two seeds."""
    data = {"folder": str(scale(folder)), "evaluate": ["train"]}
    optimizer = {"lr": 1e-3}
    write_recipe(
        folder / "recipe.yaml", {}, data=data, optimizer=optimizer, loss="ce", average=[1, 2]
    )
    tree = {
        "name": "scale",
        "recipe": "recipe.yaml",
        "seeds": [1, 2],
        "folds": [1, 2],
        "members": {"whole": {}, "halves": {"model": {"patch": [64, 16], "stride": [64, 16]}}},
        "ensembles": {"both": ["whole", "halves"]},
        "paper": {"both": "accuracy 1.0"},
    }
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(tree | changes, sort_keys=False), encoding="utf-8")
    return path
