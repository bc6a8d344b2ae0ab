"""ESC-50 (Piczak 2015) in its official layout: `meta/esc50.csv` and `audio/`."""

from pathlib import Path

from ast_edge.base.errors import ConfigError
from ast_edge.model.label import Label
from ast_training.data.clip_list import ClipList, RawClip
from ast_training.data.labels import label_table
from ast_training.data.sources import freesound
from ast_training.data.tables import read_rows


def read_esc50(root: Path, *, esc10: bool = False) -> ClipList:
    """List the recordings, in folds 1 to 5.

    Args:
        root: the folder with `meta/` and `audio/`.
        esc10: only the ten classes of ESC-10.

    Raises:
        ConfigError: if the table is missing or of other classes.
    """
    table = root / "meta" / "esc50.csv"
    classes = label_table("esc50")
    clips, used = [], set()
    for row in read_rows(table, ("filename", "fold", "target", "category", "esc10")):
        if row["category"] not in {label.name for label in classes}:
            raise ConfigError(f"{table}: {row['category']!r} is no class of ESC-50")
        if esc10 and row["esc10"] != "True":
            continue
        used.add(row["category"])
        clips.append(
            RawClip(
                name=row["filename"],
                path=root / "audio" / row["filename"],
                labels=(row["category"],),
                fold=int(row["fold"]),
                group=freesound(row.get("src_file", "")),
            )
        )
    if esc10:
        names = [label.name for label in classes if label.name in used]
        classes = tuple(Label(index, name, "") for index, name in enumerate(names))
    licence = "CC BY 3.0 (ESC-10)" if esc10 else "CC BY-NC 3.0 (ESC-50)"
    return ClipList("ESC-10" if esc10 else "ESC-50", classes, clips, licence=licence)
