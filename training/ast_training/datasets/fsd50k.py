"""FSD50K (Fonseca 2020) as it is unpacked: `FSD50K.ground_truth/` beside the folders of audio."""

import csv
from collections.abc import Iterator
from pathlib import Path

from ast_edge.base.errors import ConfigError
from ast_edge.base.text_file import open_text
from ast_edge.model.label import Label
from ast_edge.model.ontology import load_ontology
from ast_training.data.clip_list import ClipList, RawClip, Split
from ast_training.data.sources import freesound
from ast_training.data.tables import read_rows

LICENCE = "labels CC BY 4.0; clips CC0, CC BY, CC BY-NC or CC Sampling+, see FSD50K.metadata"
SPLITS: dict[str, Split] = {"train": "train", "val": "validation", "": "test"}
"""The table's words; that of the evaluation has none."""


def read_fsd50k(root: Path) -> ClipList:
    """List the recordings, labelled by AudioSet's names; `test` is the official evaluation set.

    Args:
        root: the folder that the archives were unpacked in. Without the audio of the evaluation
            there is no test split.

    Raises:
        ConfigError: if a table is missing or malformed, or names a label that is none of its
            vocabulary.
    """
    truth = root / "FSD50K.ground_truth"
    labels = tuple(
        Label(index, name, mid)
        for index, (mid, name) in enumerate(_vocabulary(truth / "vocabulary.csv"))
    )
    name_of = {label.mid: label.name for label in labels}
    clips: list[RawClip] = []
    missing: list[str] = []
    for part, columns in (("dev", ("fname", "mids", "split")), ("eval", ("fname", "mids"))):
        audio = root / f"FSD50K.{part}_audio"
        if part == "eval" and not audio.is_dir():
            missing.append(f"{audio}: is not there, so that there is nothing to test on")
            continue
        table = truth / f"{part}.csv"
        for row in read_rows(table, columns):
            where = f"{table}: {row['fname']}"
            split, mids = row.get("split", ""), row["mids"].split(",")
            if split not in SPLITS or not set(mids) <= name_of.keys():
                raise ConfigError(
                    f"{where}: has the split {split!r} or labels that are none: {mids}"
                )
            clips.append(
                RawClip(
                    name=f"{part}/{row['fname']}",
                    path=audio / f"{row['fname']}.wav",
                    labels=tuple(name_of[mid] for mid in mids),
                    split=SPLITS[split],
                    group=freesound(row["fname"]),
                )
            )
    return ClipList("FSD50K", labels, clips, tuple(missing), LICENCE)


def _vocabulary(table: Path) -> Iterator[tuple[str, str]]:
    """Yield machine id and name of every label; FSD50K writes names without spaces and commas."""
    nodes = load_ontology().kinds
    try:
        with open_text(table, newline="") as file:
            for number, row in enumerate(csv.reader(file), 1):
                if len(row) != 3:
                    raise ConfigError(f"{table}:{number}: expected index, name, mid, got {row}")
                _, name, mid = row
                yield mid, nodes[mid].name if mid in nodes else name.replace("_", " ")
    except OSError as exc:
        raise ConfigError(f"{table}: cannot be read: {exc.strerror}") from exc
    except (UnicodeDecodeError, csv.Error) as exc:
        raise ConfigError(f"{table}: not a CSV file in UTF-8: {exc}") from exc
