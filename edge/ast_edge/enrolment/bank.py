"""The bank of a bundle: embeddings of sound of all kinds, where a user has none at hand."""

import logging
import zlib
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from ast_edge.base.errors import AstError, BundleError
from ast_edge.base.files import atomic_file
from ast_edge.engines.config import EngineConfig
from ast_edge.enrolment.embedder import Embedded, Embedder, join
from ast_edge.enrolment.errors import EnrolmentError
from ast_edge.enrolment.negatives import Negatives, find_recordings
from ast_edge.enrolment.take import read_mono
from ast_edge.frontend.fbank import fbank
from ast_edge.model.bundle import Bundle
from ast_edge.model.bundle_files import BANK_FILE

log = logging.getLogger(__name__)

WINDOWS = 300
"""In a bank."""
STEPS = 4
"""Of each window that are kept: the loudest of every quarter."""
SPREAD = 4.0
"""Deviations that one byte reaches; an embedding is normalised, so that few numbers are beyond."""


def make_bank(bundle: Bundle, folders: Sequence[Path], windows: int = WINDOWS) -> Embedded:
    """Embed windows of recordings, as many of each folder, and of each recording one.

    Recordings that cannot be read are named in the log and left out.

    Raises:
        EnrolmentError: if there is none that can be used, or the bundle gives no embeddings.
    """
    embedder = Embedder(bundle, EngineConfig())
    try:
        chosen: list[NDArray[np.float32]] = []
        for number, folder in enumerate(folders):
            share = (windows - len(chosen)) // (len(folders) - number)
            chosen += _some(bundle, find_recordings([folder]), share)
        if not chosen:
            raise EnrolmentError("expected recordings for the bank, found none that can be used")
        parts = [embedded for embedded, _ in embedder.run(chosen)]
    finally:
        embedder.close()
    return _loudest(join(parts), np.stack(chosen))


def _some(bundle: Bundle, paths: Sequence[Path], count: int) -> Iterator[NDArray[np.float32]]:
    """Yield a window (frames, mels) of so many recordings, from a place chosen at random."""
    random = np.random.default_rng(0)
    samples = bundle.fbank.samples_in(bundle.frames)
    for one in random.permutation(len(paths)):
        if count == 0:
            return
        try:
            sound = read_mono(paths[one], bundle.fbank.sample_rate, most=60.0)
        except AstError as exc:
            log.warning("left out of the bank: %s", exc)
            continue
        start = int(random.integers(max(1, len(sound) - samples + 1)))
        part = sound[start : start + samples]
        if len(part) < samples:
            part = np.pad(part, (0, samples - len(part)))
        yield fbank(part, bundle.fbank)
        count -= 1


def _loudest(embedded: Embedded, windows: NDArray[np.float32]) -> Embedded:
    """Keep the loudest step of each quarter of the windows (n, frames, mels)."""
    if embedded.frame is None:
        return embedded
    steps = embedded.frame.shape[1]
    level = windows.mean(axis=2)
    level = level[:, np.linspace(0, level.shape[1] - 1, steps).astype(int)]
    rows = np.arange(len(windows))
    quarters = np.array_split(np.arange(steps), STEPS)
    kept = [embedded.frame[rows, part[level[:, part].argmax(axis=1)]] for part in quarters]
    return Embedded(embedded.clip, np.stack(kept, axis=1))


def write_bank(path: Path, bank: Embedded) -> None:
    """Write a bank, a byte for each number.

    Raises:
        OSError: if it cannot be written.
    """
    arrays = {"clip": _bytes(bank.clip)}
    if bank.frame is not None:
        arrays["frame"] = _bytes(bank.frame)
    buffer = BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    with atomic_file(path) as partial:
        partial.write_bytes(buffer.getvalue())


def _bytes(numbers: NDArray[np.floating]) -> NDArray[np.int8]:
    small: NDArray[np.int8] = np.rint(numbers * (127 / SPREAD)).clip(-127, 127).astype(np.int8)
    return small


def read_bank(bundle: Bundle) -> Negatives:
    """Read the bank of a bundle as other sound.

    Raises:
        EnrolmentError: if it has none.
        BundleError: if it is damaged.
    """
    path = bundle.folder / BANK_FILE
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in arrays.files}
    except FileNotFoundError as exc:
        raise EnrolmentError(
            f"{bundle.name!r} has no bank of other sound: give recordings of ordinary days without "
            "the sound by --negatives"
        ) from exc
    except (OSError, ValueError, EOFError, BadZipFile, zlib.error) as exc:
        raise BundleError(f"{path}: is damaged: {exc}; install the bundle again") from exc
    shapes = {"clip": 2, "frame": 3} if bundle.frame != "none" else {"clip": 2}
    for name, dimensions in shapes.items():
        array = found.get(name)
        if array is None or array.dtype != np.int8 or array.ndim != dimensions:
            raise BundleError(f"{path}: is damaged: expected {name} in int8")
        if array.shape[-1] != bundle.embedding or len(array) != len(found["clip"]):
            raise BundleError(f"{path}: is of another model; make it again by ast-export embedding")
    numbers = {name: found[name] * np.float32(SPREAD / 127) for name in shapes}
    count = len(numbers["clip"])
    return Negatives(
        Embedded(numbers["clip"], numbers.get("frame")),
        np.arange(count),
        np.zeros(count, np.bool_),
        count * bundle.window_seconds / 3600,
        (),
    )
