"""The rows of a prepared set in columns: millions of clips in little memory.

Python objects would take a gigabyte for the whole of AudioSet, and every process of a data loader
would copy them by touching their reference counts.
"""

import json
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ast_edge.base.errors import ConfigError
from ast_training.data.clip_list import SPLITS

NONE = -1
"""Stands for an offset or size that a clip has not."""


class Ragged:
    """Rows of different length, end to end: row i is `values[ends[i - 1]:ends[i]]`."""

    def __init__(self, values: NDArray[Any], ends: NDArray[np.int64]) -> None:
        self.values = values
        self.ends = ends

    def __getitem__(self, index: int) -> NDArray[Any]:
        row: NDArray[Any] = self.values[self.ends[index - 1] if index else 0 : self.ends[index]]
        return row

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Length of every row."""
        return np.diff(self.ends, prepend=0)

    def text(self, index: int) -> str:
        """Decode a row of UTF-8."""
        return self[index].tobytes().decode()


@dataclass(frozen=True, eq=False)
class ClipTable:
    """One row for each clip of a set."""

    names: Ragged
    paths: Ragged
    labels: Ragged
    """int32 label indices."""
    splits: NDArray[np.uint8]
    """Indices into SPLITS."""
    folds: NDArray[np.int32]
    seconds: NDArray[np.float64]
    offsets: NDArray[np.int64]
    sizes: NDArray[np.int64]
    groups: Ragged
    """The source of each; empty in a set that was prepared before they were written."""

    def __len__(self) -> int:
        return len(self.splits)

    def __post_init__(self) -> None:
        for column in vars(self).values():
            for part in vars(column).values() if isinstance(column, Ragged) else (column,):
                part.flags.writeable = False


def read_table(path: Path, labels: Sequence[str]) -> ClipTable:
    """Read a `clips.jsonl`.

    Args:
        path: the file, an object with name, path, labels, split and seconds on every line.
        labels: the names of all labels, in order.

    Raises:
        ConfigError: naming the line that cannot be used.
    """
    columns = {name: index for index, name in enumerate(labels)}
    split_of = {name: index for index, name in enumerate(SPLITS)}
    names, name_ends, paths, path_ends = bytearray(), array("q"), bytearray(), array("q")
    groups, group_ends = bytearray(), array("q")
    indices, label_ends = array("i"), array("q")
    splits, folds, seconds, offsets, sizes = (array(code) for code in "Bidqq")
    for number, row in _rows(path):
        try:
            names += row["name"].encode()
            paths += row["path"].encode()
            groups += row.get("group", "").encode()
            indices.extend(columns[label] for label in row["labels"])
            splits.append(split_of[row["split"]])
            seconds.append(row["seconds"])
            folds.append(row.get("fold", 0))
            offsets.append(row.get("offset", NONE))
            sizes.append(row.get("size", NONE))
        except KeyError as exc:
            raise ConfigError(
                f"{path}:{number}: {exc.args[0]!r} is missing, or no label or split of the set; "
                "run ast-train prepare again"
            ) from exc
        except (AttributeError, TypeError, OverflowError) as exc:
            raise ConfigError(f"{path}:{number}: {exc}; run ast-train prepare again") from exc
        name_ends.append(len(names))
        path_ends.append(len(paths))
        group_ends.append(len(groups))
        label_ends.append(len(indices))
    return ClipTable(
        names=Ragged(np.frombuffer(names, np.uint8), np.frombuffer(name_ends, np.int64)),
        paths=Ragged(np.frombuffer(paths, np.uint8), np.frombuffer(path_ends, np.int64)),
        labels=Ragged(np.frombuffer(indices, np.int32), np.frombuffer(label_ends, np.int64)),
        splits=np.frombuffer(splits, np.uint8),
        folds=np.frombuffer(folds, np.int32),
        seconds=np.frombuffer(seconds, np.float64),
        offsets=np.frombuffer(offsets, np.int64),
        sizes=np.frombuffer(sizes, np.int64),
        groups=Ragged(np.frombuffer(groups, np.uint8), np.frombuffer(group_ends, np.int64)),
    )


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                yield number, json.loads(line)
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read: {exc.strerror}") from exc
    except ValueError as exc:
        raise ConfigError(f"{path}:{number}: not JSON: {exc}; run ast-train prepare again") from exc
