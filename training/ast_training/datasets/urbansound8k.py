"""UrbanSound8K (Salamon 2014) as it is unpacked: `metadata/` and ten folds in `audio/`."""

from pathlib import Path

from ast_edge.base.errors import ConfigError
from ast_edge.model.label import Label
from ast_training.data.clip_list import ClipList, RawClip
from ast_training.data.sources import freesound
from ast_training.data.tables import read_rows

CLASSES = (
    *("air_conditioner", "car_horn", "children_playing", "dog_bark", "drilling"),
    *("engine_idling", "gun_shot", "jackhammer", "siren", "street_music"),
)
"""In the order of `classID`."""


def read_urbansound8k(root: Path) -> ClipList:
    """List the recordings in their ten folds, which divide no upload to Freesound.

    Args:
        root: the folder with `metadata/` and `audio/`, or with table and folds themselves.

    Raises:
        ConfigError: if the table is missing or of other classes.
    """
    nested = (root / "metadata" / "UrbanSound8K.csv").exists()
    table = root / "metadata" / "UrbanSound8K.csv" if nested else root / "UrbanSound8K.csv"
    audio = root / "audio" if (root / "audio").is_dir() else root
    clips = []
    for row in read_rows(table, ("slice_file_name", "fold", "class")):
        name, fold = row["slice_file_name"], row["fold"]
        if row["class"] not in CLASSES or not fold.isdecimal():
            raise ConfigError(
                f"{table}: {name}: {row['class']!r} in fold {fold!r} is no class of UrbanSound8K "
                "in a numbered fold"
            )
        clips.append(
            RawClip(
                name=name,
                path=audio / f"fold{fold}" / name,
                labels=(row["class"],),
                fold=int(fold),
                group=freesound(name.partition("-")[0]),
            )
        )
    labels = tuple(Label(index, name, "") for index, name in enumerate(CLASSES))
    return ClipList("UrbanSound8K", labels, clips, licence="CC BY-NC 3.0 (UrbanSound8K)")
