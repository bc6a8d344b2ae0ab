"""The fbanks of a prepared set, computed once: `fbank.npy`, float16 (total frames, mel_bins).

float16 keeps them to 0.004 in the range of log energies; their standard deviation is above 4.
"""

import json
import logging
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ast_edge.base.errors import AudioError
from ast_edge.base.files import file_sha256
from ast_edge.frontend.fbank import FbankSpec
from ast_training.base.atomic_file import atomic_file

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class FeatureCache:
    """Read access to the fbanks.

    Holds no open file and no memory map, so that it can be sent to another process.
    """

    path: Path
    spec: FbankSpec
    header: int
    """Bytes before the first frame."""
    ends: NDArray[np.int64]
    """(clips,) frame after the last one of each clip."""

    def fbank(self, index: int) -> NDArray[np.float32]:
        """Read the fbank of a clip (frames, mel_bins).

        Raises:
            AudioError: if the file is gone or cut short.
        """
        start = int(self.ends[index - 1]) if index else 0
        frames, bins = int(self.ends[index]) - start, self.spec.mel_bins
        try:
            values = np.fromfile(
                self.path, np.float16, frames * bins, offset=self.header + 2 * start * bins
            )
            return values.reshape(frames, bins).astype(np.float32)
        except (OSError, ValueError) as exc:
            raise AudioError(
                f"{self.path}: cannot be read: {exc}; run ast-train prepare again"
            ) from exc


def write_cache(
    folder: Path,
    spec: FbankSpec,
    seconds: NDArray[np.float64],
    fbanks: Iterable[NDArray[np.float32]],
) -> None:
    """Write the fbanks of all clips of a prepared folder.

    Args:
        folder: holds `clips.jsonl`.
        spec: what they were computed with.
        seconds: length of every clip (clips,).
        fbanks: (frames, mel_bins) for every clip, in order.

    Raises:
        AudioError: if a clip is not as long as it was when it was prepared.
        TrainingError: if the disk is full.
    """
    ends = _ends(seconds, spec)
    shape = (int(ends[-1]), spec.mel_bins)
    with atomic_file(folder / "fbank.npy") as path, path.open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<f2", "fortran_order": False, "shape": shape}
        )
        for index, (fbank, frames) in enumerate(
            zip(fbanks, np.diff(ends, prepend=0), strict=True), 1
        ):
            if len(fbank) != frames:
                raise AudioError(
                    f"{folder / 'clips.jsonl'}:{index}: expected {frames} frames, got "
                    f"{len(fbank)}: the recording has changed; run ast-train prepare again"
                )
            file.write(fbank.astype("<f2").tobytes())
    tree = {"fbank": asdict(spec), "frames": shape[0], "clips": _fingerprint(folder)}
    with atomic_file(folder / "fbank.json") as path:
        path.write_text(json.dumps(tree, indent=2), encoding="utf-8")


def remove_cache(folder: Path) -> None:
    """Remove the fbanks of a prepared folder, if there are any."""
    for name in ("fbank.json", "fbank.npy"):
        (folder / name).unlink(missing_ok=True)


def open_cache(folder: Path, seconds: NDArray[np.float64]) -> FeatureCache | None:
    """Open the cache of a prepared folder; None if there is none or it is of other clips.

    Args:
        folder: holds `clips.jsonl`.
        seconds: length of every clip (clips,).
    """
    path = folder / "fbank.npy"
    try:
        tree = json.loads((folder / "fbank.json").read_bytes())
        spec = FbankSpec(**tree["fbank"])
        ends = _ends(seconds, spec)
        bytes_of_frames = 2 * int(ends[-1]) * spec.mel_bins
        header = path.stat().st_size - bytes_of_frames
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError) as exc:
        log.warning("%s: damaged, not used: %r", folder / "fbank.json", exc)
        return None
    if tree["frames"] != ends[-1] or tree["clips"] != _fingerprint(folder) or header < 0:
        log.warning("%s: made of other clips, not used; prepare with --cache-features", path)
        return None
    return FeatureCache(path, spec, header, ends)


def _ends(seconds: NDArray[np.float64], spec: FbankSpec) -> NDArray[np.int64]:
    samples = np.rint(seconds * spec.sample_rate).astype(np.int64)
    return np.cumsum([spec.frames_in(n) for n in samples.tolist()], dtype=np.int64)


def _fingerprint(folder: Path) -> str:
    return file_sha256(folder / "clips.jsonl")
