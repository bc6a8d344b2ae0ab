"""What a data set holds before it is prepared: recordings and their labels by name."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ast_edge.base.errors import ConfigError
from ast_edge.model.label import Label
from ast_edge.model.label_names import why_unusable

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


@dataclass(frozen=True)
class RawClip:
    """One recording as a data set lists it."""

    name: str
    """Unique in the set."""
    path: Path
    """Audio file or tar shard."""
    labels: tuple[str, ...]
    split: Split = "train"
    fold: int = 0
    """Fold of a cross-validation; 0 in a set without folds."""
    offset: int | None = None
    """First byte within a tar shard."""
    size: int | None = None
    group: str = ""
    """What recordings of one source (a speaker, an upload) have in common, where the set knows it;
    else their name tells."""


@dataclass(frozen=True)
class ClipList:
    """The recordings of a data set, as yet neither decoded nor checked.

    Raises:
        ConfigError: if there is none, or two have one name, or one has an unknown label, or no
            topic could be made of a label.
    """

    dataset: str
    labels: tuple[Label, ...]
    clips: Sequence[RawClip]
    missing: tuple[str, ...] = ()
    """Recordings that the set names but that are not there, a line for each."""
    licence: str = ""

    def __post_init__(self) -> None:
        if not self.clips:
            listed = f" of the {len(self.missing):,} that are listed" if self.missing else ""
            raise ConfigError(f"{self.dataset}: found no recording{listed}")
        if reason := why_unusable(self.labels):
            raise ConfigError(f"{self.dataset}: {reason}")
        known = {label.name for label in self.labels}
        paths: dict[str, Path] = {}
        for clip in self.clips:
            if clip.name in paths:
                raise ConfigError(
                    f"two recordings are named {clip.name!r}: {paths[clip.name]} and {clip.path}; "
                    "rename or remove one"
                )
            paths[clip.name] = clip.path
            for label in clip.labels:
                if label not in known:
                    raise ConfigError(f"{clip.path}: {unknown_label(label, sorted(known))}")


def unknown_label(label: str, known: Sequence[str]) -> str:
    """Say that a label is not among the known ones, and which of them is nearest."""
    near = difflib.get_close_matches(label, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else "add it to the labels, or remove it"
    return f"the label {label!r} is not among the {len(known)} labels; {hint}"
