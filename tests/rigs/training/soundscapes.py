"""A composer of generated sounds, with nothing left to chance but where they are."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rigs.training.packs import RATE, Pack, hiss, make_recipe, tone

from ast_training.run.training_data import open_composer
from ast_training.soundscapes.composer import Composer
from ast_training.soundscapes.config import SoundscapeConfig

CALM: dict[str, Any] = {
    "room": 0,
    "equalizer": 0,
    "band": 0,
    "clipping": 0,
    "codec": 0,
    "background": 0,
    "filling": 0,
    "speed": (1.0, 1.0),
    "level_dbfs": (-20.0, -20.0),
    "event_db": (0.0, 0.0),
}


def padded(
    sound: NDArray[np.float32], before: float = 0.5, after: float = 0.5
) -> NDArray[np.float32]:
    """A sound with silence around it."""
    parts = np.zeros(round(before * RATE)), sound, np.zeros(round(after * RATE))
    return np.concatenate(parts).astype(np.float32)


def whistle_and_hum(folder: Path) -> dict[str, dict[str, Any]]:
    """Packs of a whistle, a hum, a sound without a label, and background noise."""
    sounds, noise = Pack(folder / "sounds"), Pack(folder / "noise")
    sounds.add("whistle.wav", "whistle", padded(tone(3000, 0.4)))
    sounds.add("hum.wav", "hum", padded(tone(200, 0.8)))
    sounds.add("hiss.wav", "other", hiss(1))
    noise.add("fan.wav", "fan", hiss(2, seconds=0.2, level=0.01))
    labels = {"whistle": "Whistle", "hum": "Hum"}
    return {"sounds": sounds.config(labels=labels), "noise": noise.config(role="background")}


def make_composer(packs: dict[str, dict[str, Any]], **changes: Any) -> Composer:
    """A composer of these packs that does nothing to sounds but what is asked for."""
    config = SoundscapeConfig(**(CALM | changes))
    return open_composer(make_recipe(packs, soundscapes=config.model_dump()), "train")
