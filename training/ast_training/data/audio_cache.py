"""The audio of recordings, decoded once."""

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ast_edge.base.errors import AudioError
from ast_training.data.activity import Activity, activities
from ast_training.data.decoded_store import DecodedStore
from ast_training.data.recordings import Recording
from ast_training.data.segment import Decoded, Kept, as_floats

log = logging.getLogger(__name__)

MEMORY = "memory"
"""Says instead of a folder that decoded recordings are not to be written."""


def decoded_folder(setting: Path | str | None) -> Path | None:
    """Return the folder for decoded recordings; None keeps them in memory.

    Args:
        setting: `loop.decoded` of a recipe; without one it is in the user's cache.
    """
    if setting is not None:
        return None if setting == MEMORY else Path(setting)
    user = os.environ.get("XDG_CACHE_HOME", "")
    if Path(user).is_absolute():  # what is not must be ignored, says the standard
        return Path(user) / "ast-train" / "decoded"
    try:
        return Path.home() / ".cache" / "ast-train" / "decoded"
    except RuntimeError:
        return None  # nobody's home: a bare container


class AudioCache:
    """Recordings as 16-bit samples: in a folder that all processes share, or in memory."""

    def __init__(
        self, recordings: Sequence[Recording], sample_rate: int, folder: Path | None = None
    ) -> None:
        """Decode recordings that are not decoded yet; what cannot be used is logged and left out.

        Args:
            recordings: whose audio.
            sample_rate: hertz.
            folder: where to keep what was decoded; None, or one that cannot be written, keeps it
                in the memory of this process.
        """
        self.sample_rate = sample_rate
        sounds = _decoded(list(dict.fromkeys(one.path for one in recordings)), sample_rate, folder)
        self.recordings = [one for one in recordings if one.path in sounds]
        self._sounds = [sounds[one.path] for one in self.recordings]

    def __len__(self) -> int:
        return len(self.recordings)

    @property
    def seconds(self) -> float:
        """Length of all together."""
        return sum(map(len, self._sounds)) / self.sample_rate

    def samples(self, index: int) -> NDArray[np.float32]:
        """Return recording `index` (samples,), full scale at 1.0.

        Raises:
            AudioError: if the file that it is kept in was damaged since.
        """
        return as_floats(self._sounds[index].samples)

    def active(self, index: int) -> tuple[Activity, ...]:
        """Return the sounding parts of recording `index`, in order; none in silence.

        Raises:
            AudioError: as `samples`.
        """
        return activities(self._sounds[index].runs, self.recordings[index].pause)


def _decoded(
    paths: Sequence[Path], sample_rate: int, folder: Path | None
) -> dict[Path, Decoded | Kept]:
    """Find recordings decoded, or decode them; those that cannot be used are missing."""
    unusable: set[Path] = set()

    def decode(missing: Iterable[Path]) -> Iterator[tuple[Path, Decoded]]:
        for path in missing:
            try:
                yield path, Decoded.of(path, sample_rate)
            except AudioError as exc:
                unusable.add(path)
                log.warning("left out: %s", exc)

    found: dict[Path, Decoded | Kept] = {}
    if folder is not None:
        store = DecodedStore(folder, sample_rate)
        otherwise = "each process keeps them in its memory"
        found |= store.find_or_add(paths, decode, otherwise=otherwise)
    return found | dict(decode(p for p in paths if p not in found and p not in unusable))
