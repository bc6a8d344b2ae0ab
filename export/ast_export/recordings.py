"""Recordings to compare a graph with its model on; read without PyTorch."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ast_edge.base.errors import AudioError, BundleError
from ast_edge.frontend.fbank import FbankSpec, fbank
from ast_edge.model.label import Label
from ast_training.data.audio_files import find_audio
from ast_training.data.decoding import AudioBytes, decode, resample
from ast_training.data.tables import label_name
from ast_training.measure.windows import windows_of

MOST = 256
"""Windows that are compared."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Labelled:
    """Recordings whose labels are known, cut into windows."""

    windows: NDArray[np.float32]
    """(windows, frames, mels)."""
    recording: NDArray[np.int64]
    """(windows,) which recording each is of."""
    targets: NDArray[np.bool_]
    """(recordings, labels)."""

    def mean_average_precision(self, probabilities: NDArray[np.float32]) -> float:
        """Rate probabilities (windows, labels): a recording scores as its highest window does."""
        from ast_training.measure.metrics import mean_average_precision  # needs scikit-learn

        scores = np.full(self.targets.shape, -np.inf)
        np.maximum.at(scores, self.recording, probabilities)
        return mean_average_precision(self.targets.astype(np.float32), scores)


def audio_windows(
    folder: Path, spec: FbankSpec, frames: int, most: int = MOST
) -> NDArray[np.float32]:
    """Cut the recordings of a folder into windows (n, frames, mels).

    Recordings that cannot be used are named in the log and left out.

    Raises:
        AudioError: if there is none that can be used.
    """
    windows: list[NDArray[np.float32]] = []
    for path in _recordings(folder):
        windows += _windows(path, spec, frames)
        if len(windows) >= most:
            break
    if not windows:
        raise AudioError(
            f"{folder}: expected recordings to compare on (.wav, .flac, .mp3 or another kind), "
            "found none that can be used"
        )
    return np.stack(windows[:most])


def labelled_windows(
    folder: Path, labels: tuple[Label, ...], spec: FbankSpec, frames: int
) -> Labelled:
    """Cut the recordings of a folder into windows, labelled by their sub-folder.

    Each sub-folder is named as a label of the model, by its display name or its slug.

    Raises:
        AudioError: if there is no such folder, or fewer than two labels have a recording.
        BundleError: if a sub-folder is named as no label.
    """
    windows: list[NDArray[np.float32]] = []
    recording: list[int] = []
    targets: list[NDArray[np.bool_]] = []
    names = {n: label.index for label in labels for n in (label_name(label.name), label.slug)}
    for sub in sorted(path for path in folder.glob("*") if path.is_dir()):
        name = label_name(sub.name)
        if name not in names:
            raise BundleError(f"{sub}: expected a folder named as a label of the model")
        for path in _recordings(sub):
            if cut := _windows(path, spec, frames):
                recording += [len(targets)] * len(cut)
                windows += cut
                targets.append(np.arange(len(labels)) == names[name])
    if len({int(target.argmax()) for target in targets}) < 2:
        raise AudioError(f"{folder}: expected recordings in sub-folders of at least two labels")
    return Labelled(np.stack(windows), np.array(recording), np.stack(targets))


def _recordings(folder: Path) -> list[Path]:
    return find_audio(folder).audio if folder.is_dir() else []


def _windows(path: Path, spec: FbankSpec, frames: int) -> list[NDArray[np.float32]]:
    try:
        samples = resample(decode(AudioBytes(path)), spec.sample_rate)
    except AudioError as exc:
        log.warning("left out: %s", exc)
        return []
    return windows_of(fbank(samples, spec), frames, frames)
