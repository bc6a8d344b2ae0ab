"""Packs of generated recordings, and recipes that use them."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import yaml
from numpy.typing import NDArray

from ast_training.recipe.recipe import Recipe

RATE = 16_000
LABELS = {"Whistle": "/m/0k5j", "Hum": "/m/01swy6"}


def tone(hertz: float, seconds: float = 0.5, level: float = 0.3) -> NDArray[np.float32]:
    """A sine at 16 kHz."""
    time = np.arange(round(seconds * RATE)) / RATE
    return (level * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def hiss(seed: int, seconds: float = 0.5, level: float = 0.1) -> NDArray[np.float32]:
    """White noise at 16 kHz."""
    noise = np.random.default_rng(seed).uniform(-level, level, round(seconds * RATE))
    return noise.astype(np.float32)


class Pack:
    """A folder of recordings with the table that labels them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: list[dict[str, str]] = []
        (folder / "audio").mkdir(parents=True)

    def add(
        self,
        filename: str,
        label: str = "",
        samples: NDArray[np.float32] | None = None,
        rate: int = RATE,
        **columns: str,
    ) -> Path:
        """Write a recording, if samples are given, and its row; return its path."""
        path = self.folder / "audio" / filename
        if samples is not None:
            soundfile.write(path, samples, rate)
        self.rows.append({"filename": filename, "label": label, **columns})
        return path

    def config(self, **settings: Any) -> dict[str, Any]:
        """Write the table and return the pack as a recipe names it."""
        table = self.folder / "table.csv"
        with table.open("w", newline="") as file:
            columns = dict.fromkeys(["filename", "label", *(c for row in self.rows for c in row)])
            writer = csv.DictWriter(file, list(columns))
            writer.writeheader()
            writer.writerows(self.rows)
        return {"table": str(table), "audio": str(self.folder / "audio"), **settings}


def recipe_tree(packs: dict[str, dict[str, Any]] | str, **sections: Any) -> dict[str, Any]:
    """A recipe of a small model for short windows, as it stands in YAML."""
    tree = {
        "name": "small",
        "labels": LABELS,
        "model": {
            "depth": 2,
            "frames": 32,
            "patch": [128, 16],
            "stride": [128, 16],
            "mean": -7.0,
            "std": 5.0,
        },
        "soundscapes": {"freq_mask": 0, "examples_per_epoch": 8},
        "optimizer": {"batch": 4, "epochs": 2},
        "loop": {"precision": "fp32"},
        "packs": packs,
    }
    for name, value in sections.items():
        known = tree.get(name)
        tree[name] = known | value if isinstance(known, dict) and name != "labels" else value
    return tree


def make_recipe(packs: dict[str, dict[str, Any]], **sections: Any) -> Recipe:
    """The same, validated."""
    return Recipe.model_validate(recipe_tree(packs, **sections))


def write_recipe(path: Path, packs: dict[str, dict[str, Any]] | str, **sections: Any) -> Path:
    """The same, as a file."""
    path.write_text(
        yaml.safe_dump(recipe_tree(packs, **sections), sort_keys=False), encoding="utf-8"
    )
    return path


def two_sounds(folder: Path, **settings: Any) -> dict[str, dict[str, Any]]:
    """Two labels that are easy to tell apart, eight sources each, and some that are neither."""
    pack = Pack(folder)
    for take in range(8):
        pack.add(f"whistle-{take}.wav", "whistle", tone(3000 + 50 * take), source=f"w{take}")
        pack.add(f"hum-{take}.wav", "hum", tone(150 + 5 * take), source=f"h{take}")
    for take in range(4):
        pack.add(f"hiss-{take}.wav", "hiss", hiss(take), source=f"n{take}")
    settings = {"group": "source", "validation_share": 0.25} | settings
    return {"sounds": pack.config(labels={"whistle": "Whistle", "hum": "Hum"}, **settings)}


def backgrounds(folder: Path, count: int = 15, **settings: Any) -> dict[str, dict[str, Any]]:
    """So many sources of background noise, each another one."""
    pack = Pack(folder)
    for number in range(count):
        pack.add(f"room-{number}.wav", "fan", hiss(number, 0.3), source=f"r{number}")
    return {"noise": pack.config(role="background", **({"group": "source"} | settings))}


DAMAGES = ["missing", "zero bytes", "text", "no samples", "not a number"]


def damage(path: Path, how: str) -> None:
    """Make a recording unusable in one of these ways."""
    if how == "missing":
        path.unlink()
    elif how == "zero bytes":
        path.write_bytes(b"")
    elif how == "text":
        path.write_text("no sound")
    elif how == "no samples":
        soundfile.write(path, np.zeros(0), RATE)
    else:
        soundfile.write(path, np.array([0.0, np.nan, 0.5]), RATE, subtype="FLOAT")
