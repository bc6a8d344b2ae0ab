"""Prepared sets whose clips are decoded once, for all epochs, processes and trainings."""

import logging
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ast_edge.base.errors import AudioError
from ast_training.data.audio_cache import decoded_folder
from ast_training.data.clip_table import NONE
from ast_training.data.clips import SAMPLE_RATE, ClipSet, read_prepared
from ast_training.data.decoded_store import DecodedStore
from ast_training.data.decoding import AudioBytes
from ast_training.data.segment import Decoded

log = logging.getLogger(__name__)

UNASKED_BYTES = 16 << 30
"""Of decoded clips that are kept though no recipe names a folder for them: 150 hours. FSD50K takes
12 GB; the whole of AudioSet would take 620."""


def with_decoded(clips: ClipSet, indices: NDArray[np.int64], setting: Path | str | None) -> ClipSet:
    """Return a set that reads these clips from what was decoded, which they are now if need be.

    Unless a folder is asked for, a set of more than `UNASKED_BYTES`, or of more than half of the
    free disk, is decoded clip by clip as ever; and so are clips in shards, and all with `memory`.
    What cannot be decoded says so when it is read. The samples are the same either way.

    Args:
        clips: the set.
        indices: clips that will be read.
        setting: `loop.decoded` of a recipe.
    """
    folder = decoded_folder(setting)
    here = np.unique(indices[clips.table.offsets[indices] == NONE])
    size = 2 * SAMPLE_RATE * float(clips.seconds[here].sum())
    if folder is None or not len(here):
        return clips
    if setting is None and size > UNASKED_BYTES:
        log.info(
            "%s: decoded anew in every epoch: kept, its clips would take %.0f GB; loop.decoded "
            "names a folder for them",
            clips.folder,
            size / 1e9,
        )
        return clips
    paths = list(dict.fromkeys(clips[index].path for index in here.tolist()))
    store = DecodedStore(folder, SAMPLE_RATE)
    found = store.find(paths)
    missing = [path for path in paths if path not in found]
    left = size * len(missing) / len(paths)
    if missing and (setting is not None or left <= free_bytes(folder) / 2):
        found |= store.find_or_add(missing, _decode, otherwise="clips are decoded anew each time")
    return replace(clips, decoded=found)


def free_bytes(folder: Path) -> int:
    """Return what is free on the disk of a folder that need not exist yet; 0 if nobody knows."""
    there = next((one for one in (folder, *folder.absolute().parents) if one.is_dir()), Path("/"))
    try:
        return shutil.disk_usage(there).free
    except OSError:
        return 0


def _decode(paths: Iterable[Path]) -> Iterator[tuple[Path, Decoded]]:
    for path in paths:
        try:
            yield path, Decoded.of(path, SAMPLE_RATE, lambda one, _: read_prepared(AudioBytes(one)))
        except AudioError as exc:
            log.debug("not kept: %s", exc)
