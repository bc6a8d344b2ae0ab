"""Tar shards as webdataset makes them, read at random.

A member KEY.flac (or another kind of audio) has its labels beside it in KEY.json, KEY.cls or
KEY.txt. The paper's balanced sampler draws clips from the whole set with replacement, which a
stream of shards cannot give; the byte offsets of the members can.
"""

import json
import re
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from ast_edge.audio.sound_file import AUDIO_SUFFIXES
from ast_edge.base.errors import ConfigError
from ast_edge.base.text_file import decode_text
from ast_edge.model.label import Label
from ast_training.data.audio_files import identity
from ast_training.data.clip_list import ClipList, RawClip, Split
from ast_training.data.sources import choose_groups, source_of_name
from ast_training.data.tables import label_name

LABEL_SUFFIXES = (".json", ".cls", ".txt")
FILMS = frozenset({".3gp", ".mkv", ".mov", ".mp4", ".webm"})


@dataclass(frozen=True)
class ShardClip:
    """An audio member of a shard and what stands beside it."""

    key: str
    shard: Path
    offset: int
    """Of its first byte in the shard."""
    size: int
    labels: tuple[str | int, ...]
    """Names, AudioSet ids or indices."""


def read_shards(root: Path, labels: tuple[Label, ...] | None = None) -> ClipList:
    """List the clips of all shards (`*.tar`) of a folder.

    Shards whose name, or folder, starts with train, val or test (eval) are of that split; if none
    does, about 15 % of the sources validate, see `source_of_name`. A link to a shard is none.

    Args:
        root: the folder.
        labels: the labels; by default the names that occur, in alphabetical order.

    Raises:
        ConfigError: if there is no shard, a shard is damaged or compressed, or a label is unknown.
    """
    shards: dict[object, Path] = {}
    missing: list[str] = []
    for shard in sorted(root.rglob("*.tar"), key=lambda path: (path.is_symlink(), path)):
        if (known := shards.setdefault(identity(shard), shard)) is not shard:
            missing.append(f"{shard}: is {known} once more")
    if not shards:
        raise ConfigError(f"{root}: expected shards (*.tar), got none")
    members: list[ShardClip] = []
    for shard in sorted(shards.values()):
        found, silent = index_shard(shard)
        members += found
        missing += silent
    labels = labels or _labels_in(root, members)
    name_of: dict[str | int, str] = {label.mid: label.name for label in labels if label.mid}
    name_of |= {label.index: label.name for label in labels}
    prefixes = {
        shard: shard.relative_to(root).with_suffix("").as_posix() for shard in shards.values()
    }
    splits = {shard: _split_of(prefix) for shard, prefix in prefixes.items()}
    clips = [
        RawClip(
            name=f"{prefixes[member.shard]}/{member.key}",
            path=member.shard,
            labels=_names(member, name_of),
            split=splits[member.shard] or "train",
            offset=member.offset,
            size=member.size,
            # A key has no suffix, and may have dots in its folders.
            group=source_of_name(f"{prefixes[member.shard]}/{member.key}.audio"),
        )
        for member in members
    ]
    if not any(splits.values()):
        held_out = choose_groups((clip.group, clip.labels) for clip in clips)
        clips = [
            replace(clip, split="validation") if clip.group in held_out else clip for clip in clips
        ]
    return ClipList(root.resolve().name, labels, clips, tuple(missing))


def _labels_in(root: Path, members: Sequence[ShardClip]) -> tuple[Label, ...]:
    names = {label for member in members for label in member.labels}
    numbers = [label for label in names if isinstance(label, int)]
    if numbers:
        raise ConfigError(
            f"{root}: labels are numbers, such as {numbers[0]}: give their names by --labels"
        )
    return tuple(Label(i, name, "") for i, name in enumerate(sorted(map(str, names))))


def index_shard(shard: Path) -> tuple[list[ShardClip], list[str]]:
    """Find the audio members of a shard, and say which labels have none.

    Raises:
        ConfigError: if it is damaged or compressed, or an audio member has no labels.
    """
    sound: dict[str, tuple[int, int]] = {}
    film: dict[str, tuple[int, int]] = {}
    labels: dict[str, tuple[str | int, ...]] = {}
    try:
        with tarfile.open(shard, "r:") as tar:
            for member in tar:
                path = PurePosixPath(member.name)
                base, _, _ = path.name.partition(".")  # webdataset: the key ends at the first dot
                key = str(path.with_name(base)) if base else ""
                suffix = path.suffix.lower()
                if not key or not member.isfile():
                    continue
                if suffix in AUDIO_SUFFIXES:
                    # A film beside its sound is no second recording.
                    kinds = film if suffix in FILMS else sound
                    if key in kinds:
                        raise ConfigError(f"{shard}: two recordings have the key {key!r}")
                    kinds[key] = (member.offset_data, member.size)
                elif suffix in LABEL_SUFFIXES and (file := tar.extractfile(member)):
                    found = _parse(file.read(), suffix, f"{shard}: {member.name}")
                    labels[key] = labels.get(key) or found
            # tarfile takes a header that is cut short for the end.
            if shard.stat().st_size < tar.offset + tarfile.BLOCKSIZE:
                raise tarfile.ReadError("has no end")
    except (OSError, tarfile.TarError) as exc:
        raise ConfigError(f"{shard}: not an uncompressed, whole tar file: {exc}") from exc
    audio = film | sound
    for key in audio:
        if key not in labels:
            suffixes = ", ".join(f"{key}{suffix}" for suffix in LABEL_SUFFIXES)
            raise ConfigError(f"{shard}: expected labels of {key!r} in one of {suffixes}, got none")
    silent = [
        f"{shard}: {key}: no recording, by its members' names"
        for key in labels.keys() - audio.keys()
    ]
    clips = [ShardClip(key, shard, *where, labels[key]) for key, where in audio.items()]
    return clips, sorted(silent)


def _parse(data: bytes, suffix: str, where: str) -> tuple[str | int, ...]:
    """Read the labels of a member; none where a JSON object says nothing of labels."""
    try:
        text = decode_text(data)
        if suffix == ".txt":
            parts = (label_name(part) for part in re.split("[;\n]", text))
            return tuple(part for part in parts if part)
        if suffix == ".cls":
            return (int(text),)
        tree: dict[str, Any] = json.loads(text)
        found: Any = next((tree[key] for key in ("labels", "label", "cls") if key in tree), [])
    except (ValueError, TypeError) as exc:
        raise ConfigError(f"{where}: cannot be read: {exc}") from exc
    values: Sequence[Any] = found if isinstance(found, list) else [found]
    if not all(isinstance(value, str | int) for value in values):
        raise ConfigError(f"{where}: expected labels as names, ids or numbers, got {found!r}")
    return tuple(label_name(value) if isinstance(value, str) else value for value in values)


def _names(member: ShardClip, name_of: dict[str | int, str]) -> tuple[str, ...]:
    """Translate ids and indices; an unknown name is left for `ClipList` to refuse."""
    return tuple(dict.fromkeys(str(name_of.get(label, label)) for label in member.labels))


def _split_of(shard: str) -> Split | None:
    prefixes: dict[str, Split] = {
        "train": "train",
        "val": "validation",
        "test": "test",
        "eval": "test",
    }
    parts = shard.split("/")
    return next(
        (split for part in parts for prefix, split in prefixes.items() if part.startswith(prefix)),
        None,
    )
